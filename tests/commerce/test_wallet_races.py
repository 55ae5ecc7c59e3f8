"""Whatever happens at the same time in the shop and in the bank, no money and no unit is lost."""

from contextlib import closing

from hypothesis import given, settings
from hypothesis import strategies as st

from commands import Caller
from commands.banking.account import FreezeAccount
from commands.banking.approval import ApproveTransfer, RejectTransfer
from commands.commerce.order import CancelLine, CancelOrder, WalletPart
from domain.banking.account import Account
from domain.commerce.order import RESERVATION_TTL, Order, Status
from domain.commerce.payment import Payment
from domain.commerce.payment import Status as PaymentStatus
from domain.commerce.refund import refund_id
from domain.commerce.stock import Stock, stock_id
from tests.commerce.interleaving import World
from tests.commerce.ledger import Acquirer
from tests.commerce.shop import (
    BUYER,
    CUSTOMER,
    MERCHANT,
    ORDER,
    PAYMENT,
    POT,
    named,
    place,
    stocked,
)
from tests.commerce.test_order_races import check_invariants
from tests.commerce.test_wallet import SAVINGS, SELLER, account

POTS = 600
OFFICER = Caller(actor="00000000-0000-7000-8000-00000000000f")
WAIT = CancelOrder(order_id=named("nobody's"))
"""Refused; it only takes time."""
HAPPENINGS = {
    "cancel": CancelOrder(order_id=ORDER, reason="no"),
    "cancel one": CancelLine(
        order_id=ORDER, product_id=POT, quantity=1, cancellation_id=named("cut")
    ),
    "approve": ApproveTransfer(transfer_id=PAYMENT),
    "reject": RejectTransfer(transfer_id=PAYMENT, reason="odd"),
    "freeze buyer": FreezeAccount(account_id=BUYER, reason="stolen"),
    "freeze merchant": FreezeAccount(account_id=MERCHANT, reason="fraud"),
}


def check_end(world: World) -> None:
    order, payment = world.state(Order, ORDER), world.state(Payment, PAYMENT)
    stock = world.state(Stock, stock_id(POT))
    failed = any(part.status == "failed" for part in payment.refunds.parts.values())
    if order.status is Status.CANCELLED:
        assert payment.status in (
            PaymentStatus.NEW,
            PaymentStatus.DECLINED,
            PaymentStatus.VOIDED,
            PaymentStatus.CAPTURED,
        )
        assert payment.left == 0 or failed  # a refund that failed is left to a person
        assert (stock.on_hand, stock.holdings) == (POTS, {})
    else:
        assert order.status is Status.PAID
        assert payment.status is PaymentStatus.CAPTURED
        assert payment.left == order.lines.total or failed
        assert stock.holdings[ORDER].quantity == order.lines.by_product[POT].remaining
        assert stock.on_hand + stock.holdings[ORDER].quantity == POTS
    buyer, merchant = (world.state(Account, id).funds for id in (BUYER, MERCHANT))
    assert (buyer.balance, merchant.balance) == (SAVINGS - payment.left, payment.left)
    left = (buyer.holds, buyer.in_flight, merchant.holds, merchant.in_flight)
    assert not any(left)


@settings(max_examples=60, deadline=None)
@given(
    random=st.randoms(use_true_random=False),
    pots=st.sampled_from([1, 2, 500]),
    early=st.lists(st.sampled_from(sorted(HAPPENINGS)), max_size=3, unique=True),
    late=st.lists(st.sampled_from(sorted(HAPPENINGS)), max_size=2, unique=True),
    outage=st.sampled_from([None, None, 5, 20, 80]),
)
def test_in_every_order_of_events_an_order_from_a_wallet_ends_done_or_undone(
    random, pots, early, late, outage
):
    world = World(random.randrange, Acquirer(approves=True, captures=True, silent={}))
    with closing(world):
        world.given(
            {
                BUYER: account(CUSTOMER, SAVINGS),
                MERCHANT: account(SELLER),
                **stocked(pot=POTS),
            }
        )
        world.person("buyer", place(WalletPart(account_id=BUYER), pot=pots))
        if outage is not None:
            world.outage(outage, 2 * RESERVATION_TTL)
        for name in early:
            command = HAPPENINGS[name]
            world.person(name, *[WAIT] * random.randrange(80), command, by=OFFICER)
        world.run()
        check_end(world)
        for name in late:
            command = HAPPENINGS[name]
            world.person(name, *[WAIT] * random.randrange(20), command, by=OFFICER)
        if random.randrange(2):
            way_back = ApproveTransfer(transfer_id=refund_id(PAYMENT, "reversal"))
            world.person("approves refund", *[WAIT] * 60, way_back, by=OFFICER)
        world.run()
        check_end(world)
    check_invariants(world)
