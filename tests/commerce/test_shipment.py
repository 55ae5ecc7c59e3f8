import pytest

from commands.commerce.order import CancelLine, CancelOrder
from commands.commerce.shipment import (
    CreateShipment,
    DeliverShipment,
    DispatchShipment,
    UnitsPart,
    WithdrawShipment,
)
from domain import NotFound, ProcessOnly
from domain.commerce.line import (
    LineNotOpen,
    NotShippable,
    OrderParcelCalledOff,
    OrderParcelDelivered,
    OrderParcelPlanned,
    OrderParcelShipped,
)
from domain.commerce.order import AlreadyShipped, OrderDelivered, OrderShipped
from domain.commerce.shipment import (
    Shipment,
    ShipmentCalledOff,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentExists,
    ShipmentWithdrawn,
    Units,
)
from domain.commerce.stock import StockShipped
from projections.commerce.order import order as order_detail
from projections.commerce.shipment import shipment as shown
from projections.commerce.stock import stock_of
from tests.commerce.matrix import check
from tests.commerce.shop import ORDER, OTHER_ORDER, POT, TEA, named, place, stocked

BOX, BAG = named("box"), named("bag")
TEAS, POTS = (Units(TEA, 2),), (Units(POT, 1),)
created = ShipmentCreated(order_id=ORDER, units=TEAS)
dispatched = ShipmentDispatched(order_id=ORDER, carrier="post", tracking="T1")
delivered = ShipmentDelivered(order_id=ORDER, shipment_id=BOX)
withdrawn = ShipmentWithdrawn(order_id=ORDER)


def test_every_state_of_a_shipment_answers_every_command():
    check(
        """
                 | new             | created            | dispatched        | delivered | withdrawn
        create   | ShipmentCreated | -                  | -                 | -         | -
        for other | ShipmentCreated | shipment_exists   | shipment_exists   | shipment_exists | shipment_exists
        dispatch | not_found       | ShipmentDispatched | -                 | -         | shipment_called_off
        deliver  | not_found       | shipment_not_dispatched | ShipmentDelivered | -    | shipment_not_dispatched
        withdraw | -               | ShipmentWithdrawn  | -                 | -         | -
        """,  # noqa: E501
        Shipment(),
        {
            "new": [],
            "created": [created],
            "dispatched": [created, dispatched],
            "delivered": [created, dispatched, delivered],
            "withdrawn": [created, withdrawn],
        },
        {
            "create": lambda s: s.create(ORDER, TEAS),
            "for other": lambda s: s.create(OTHER_ORDER, TEAS),
            "dispatch": lambda s: s.dispatch("post", "T1"),
            "deliver": lambda s: s.deliver(BOX),
            "withdraw": lambda s: s.withdraw(),
        },
    )


def create(shipment, *units):
    parts = tuple(UnitsPart(product_id=product, quantity=n) for product, n in units)
    return CreateShipment(shipment_id=shipment, order_id=ORDER, units=parts)


def dispatch(shipment, tracking="T1"):
    return DispatchShipment(shipment_id=shipment, carrier="post", tracking=tracking)


def deliver(shipment):
    return DeliverShipment(shipment_id=shipment)


@pytest.fixture
def paid(commerce):
    """A paid order of two teas and a pot."""
    return commerce.given(stocked(tea=5, pot=2)).when(place(tea=2, pot=1))


def test_an_order_is_shipped_only_when_all_its_open_lines_are(paid):
    paid.when(create(BOX, (TEA, 2)), dispatch(BOX)).then(
        created,
        OrderParcelPlanned(shipment_id=BOX, units=TEAS),
        dispatched,
        OrderParcelShipped(shipment_id=BOX, units=TEAS),
        StockShipped(product_id=TEA, order_id=ORDER, quantity=2),
    )
    assert paid.rows(order_detail(ORDER))["status"] == "paid"
    paid.when(deliver(BOX)).then(delivered, OrderParcelDelivered(shipment_id=BOX))
    paid.when(create(BAG), dispatch(BAG, "T2")).then(
        ShipmentCreated(order_id=ORDER, units=POTS),
        OrderParcelPlanned(shipment_id=BAG, units=POTS),
        ShipmentDispatched(order_id=ORDER, carrier="post", tracking="T2"),
        OrderParcelShipped(shipment_id=BAG, units=POTS),
        OrderShipped(),
        StockShipped(product_id=POT, order_id=ORDER, quantity=1),
    )
    paid.when(deliver(BAG)).then(
        ShipmentDelivered(order_id=ORDER, shipment_id=BAG),
        OrderParcelDelivered(shipment_id=BAG),
        OrderDelivered(),
    )
    order = paid.rows(order_detail(ORDER))
    assert order["status"] == "delivered"
    assert [(s["tracking"], s["status"]) for s in order["shipments"]] == [
        ("T1", "delivered"),
        ("T2", "delivered"),
    ]
    assert [line["shipped"] for line in order["lines"]] == [2, 1]
    assert paid.rows(stock_of(TEA))[0]["committed"] == 0


def test_each_step_of_a_shipment_is_taken_once(paid):
    paid.when(create(BOX), create(BOX), dispatch(BOX), dispatch(BOX), deliver(BOX), deliver(BOX))
    names = [type(fact).__name__ for fact in paid.new_facts()]
    assert len(names) == len(set(names)) + 1  # two products leave the stock
    (box,) = paid.rows(shown(BOX))
    assert (box["status"], box["version"], len(box["units"])) == ("delivered", 3, 2)


def test_units_that_were_cancelled_do_not_leave(paid):
    paid.when(create(BOX)).when(CancelLine(order_id=ORDER, product_id=TEA, quantity=1))
    facts = paid.new_facts()
    assert facts[0] == OrderParcelCalledOff(shipment_id=BOX)
    assert withdrawn in facts
    paid.when(dispatch(BOX)).refused(ShipmentCalledOff)
    paid.when(create(BOX)).then()
    paid.when(create(BAG), dispatch(BAG))
    assert OrderShipped() in paid.new_facts()
    assert [line["shipped"] for line in paid.rows(order_detail(ORDER))["lines"]] == [1, 1]


def test_a_cancellation_wins_over_a_dispatch_that_did_not_happen_yet(paid):
    paid.when(create(BOX))
    # The two meet before any process can react: the order itself refuses.
    paid.when(CancelOrder(order_id=ORDER, reason="no"), dispatch(BOX))
    assert [type(refusal) for refusal in paid.refusals] == [ShipmentCalledOff]
    assert not any(isinstance(fact, ShipmentDispatched) for fact in paid.new_facts())
    assert paid.rows(shown(BOX))[0]["status"] == "withdrawn"


def test_a_dispatch_wins_over_a_cancellation_that_comes_later(paid):
    paid.when(create(BOX, (TEA, 2)), dispatch(BOX))
    paid.when(CancelOrder(order_id=ORDER)).refused(AlreadyShipped)
    paid.when(CancelLine(order_id=ORDER, product_id=TEA, quantity=1)).refused(LineNotOpen)
    paid.when(CancelLine(order_id=ORDER, product_id=POT, quantity=1))
    assert OrderShipped() in paid.new_facts()
    assert paid.rows(order_detail(ORDER))["payments"][0]["refunded"]["amount"] == 2000


def test_only_open_units_of_a_paid_order_are_shipped(commerce):
    commerce.given(stocked(tea=5, pot=2)).when(create(BOX)).refused(NotFound)
    commerce.when(dispatch(BOX), deliver(BOX)).refused(NotFound, NotFound)
    commerce.when(place("tok_late", tea=2, pot=1)).when(create(BOX, (TEA, 1))).refused(NotShippable)
    commerce.when(WithdrawShipment(shipment_id=BOX)).refused(ProcessOnly)


def test_a_shipment_belongs_to_one_order(paid):
    paid.when(place(order=OTHER_ORDER, tea=1))
    paid.when(create(BOX, (TEA, 1)))
    other = CreateShipment(shipment_id=BOX, order_id=OTHER_ORDER)
    paid.when(other).refused(ShipmentExists)
    paid.when(create(BAG, (TEA, 2))).refused(LineNotOpen)
