"""Whatever happens at the same time, an order ends done or undone: stock, money and all."""

from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.commerce.order import CancelLine, CancelOrder
from commands.commerce.shipment import CreateShipment, DeliverShipment, DispatchShipment, UnitsPart
from domain.commerce.invariants import watch
from domain.commerce.order import RESERVATION_TTL, Order, Status
from domain.commerce.payment import Payment, payment_id
from domain.commerce.payment import Status as PaymentStatus
from domain.commerce.stock import Stock, stock_id
from sagas.commerce.order import CONFIRM_WITHIN
from tests.commerce.interleaving import World
from tests.commerce.ledger import Acquirer
from tests.commerce.shop import NOW, ORDER, OTHER_ORDER, POT, TEA, named, place, stocked

POTS = 2
SHIPMENT, REST = named("shipment"), named("the rest")


def check_end(world: World, tea: int) -> None:
    """Nothing of an order is left half done, and nothing is lost between stock and orders."""
    shipped = {TEA: 0, POT: 0}
    owed = 0
    for id in (ORDER, OTHER_ORDER):
        order = world.state(Order, id)
        payment = world.state(Payment, payment_id(id))
        if order.status is Status.NEW:
            continue
        for product, line in order.lines.by_product.items():
            shipped[product] += line.shipped
            holding = world.state(Stock, stock_id(product)).holdings.get(id)
            assert (holding.quantity if holding else 0) == line.remaining
            assert holding is None or holding.expires_at is None
        if order.status is Status.CANCELLED:
            assert payment.status in (
                PaymentStatus.NEW,
                PaymentStatus.DECLINED,
                PaymentStatus.VOIDED,
                PaymentStatus.CAPTURED,
            )
            assert payment.left == 0
        else:
            assert order.status in (Status.PAID, Status.SHIPPED, Status.DELIVERED)
            assert payment.status is PaymentStatus.CAPTURED
            assert payment.left == order.lines.total
            owed += order.lines.total
        assert all(part.status == "done" for part in payment.refunds.parts.values())
    assert world.acquirer.kept() == owed
    assert world.acquirer.holds() == 0
    for product, on_hand in ((TEA, tea), (POT, POTS)):
        stock = world.state(Stock, stock_id(product))
        in_house = stock.on_hand + sum(
            h.quantity for h in stock.holdings.values() if h.expires_at is None
        )
        assert in_house + shipped[product] == on_hand


def check_invariants(world: World) -> None:
    for watcher in watch():
        for fact, at in world.logs["commerce"]:
            watcher.see(at.stream, fact)
        assert watcher.breaches() == []


WAIT = CancelOrder(order_id=named("nobody's"))
"""Refused; it only takes time."""
CANCELS = {
    "all": CancelOrder(order_id=ORDER, reason="changed my mind"),
    "a tea": CancelLine(order_id=ORDER, product_id=TEA, quantity=1, cancellation_id=named("cut 1")),
    "the pot": CancelLine(
        order_id=ORDER, product_id=POT, quantity=1, cancellation_id=named("cut 2")
    ),
    "more tea": CancelLine(
        order_id=ORDER, product_id=TEA, quantity=2, cancellation_id=named("cut 3")
    ),
}
SHIPPING = [
    CreateShipment(
        shipment_id=SHIPMENT, order_id=ORDER, units=(UnitsPart(product_id=TEA, quantity=2),)
    ),
    CreateShipment(shipment_id=REST, order_id=ORDER),
    DispatchShipment(shipment_id=REST, carrier="post", tracking="2"),
    DispatchShipment(shipment_id=SHIPMENT, carrier="post", tracking="1"),
    DeliverShipment(shipment_id=SHIPMENT),
    DeliverShipment(shipment_id=REST),
]


SILENCES = st.fixed_dictionaries(
    {what: st.sampled_from([0, 0, 1, 4]) for what in ("authorise", "capture", "void", "refund")}
)
OFTEN = st.sampled_from([True, True, True, False])


@settings(max_examples=150, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    tea=st.sampled_from([5, 6]),
    early=st.lists(st.sampled_from(sorted(CANCELS)), max_size=2, unique=True),
    late=st.lists(st.sampled_from(sorted(CANCELS)), max_size=2, unique=True),
    approves=OFTEN,
    captures=OFTEN,
    silent=SILENCES,
    outage=st.sampled_from([None, None, 5, 20, 80]),
)
def test_in_every_order_of_events_an_order_ends_done_or_undone(
    random, tea, early, late, approves, captures, silent, outage
):
    world = World(random.randrange, Acquirer(approves, captures, silent))
    with closing(world):
        world.given(stocked(tea=tea, pot=POTS))
        world.person("buyer", place(tea=3, pot=1))
        world.person("other buyer", place(tea=3, pot=1, order=OTHER_ORDER))
        if outage is not None:
            world.outage(outage, 2 * RESERVATION_TTL)
        for name in early:
            world.person(f"cancels {name} early", *[WAIT] * random.randrange(40), CANCELS[name])
        world.run()
        check_end(world, tea)
        for name in late:
            world.person(f"cancels {name} late", *[WAIT] * random.randrange(10), CANCELS[name])
        for number in range(2):
            world.person(f"packer {number}", *SHIPPING)
        world.run()
        check_end(world, tea)
    check_invariants(world)


def test_an_order_ends_at_its_deadline_when_the_payment_process_is_down():
    world = World(lambda n: n - 1, Acquirer(approves=True, captures=True, silent={}))
    with closing(world):
        world.given(stocked(tea=6, pot=POTS))
        world.person("buyer", place(tea=3, pot=1))
        payment_process = world.running.pop("commerce.payment@commerce")
        world.run()
        assert world.state(Order, ORDER).status is Status.CANCELLED
        assert world.time == NOW + CONFIRM_WITHIN
        world.running["commerce.payment@commerce"] = payment_process
        world.run()
        check_end(world, 6)
