"""Orders paid from a banking account: the one place where commerce meets banking."""

from datetime import timedelta

import pytest

from commands import Caller
from commands.banking.account import FreezeAccount
from commands.banking.approval import ApproveTransfer, RejectTransfer
from commands.banking.hold import PlaceHold
from commands.commerce.order import CancelLine, CancelOrder, WalletPart
from domain import Money
from domain.banking.account import Account, AccountClosed, AccountFrozen, AccountOpened
from domain.banking.posting import MoneyDeposited
from domain.banking.transfer import Status as TransferStatus
from domain.banking.transfer import Transfer
from domain.commerce.invariants import watch
from domain.commerce.order import Order, Status
from domain.commerce.payment import CaptureFailed, Payment, PaymentCaptured, PaymentRequested
from domain.commerce.payment import Status as PaymentStatus
from domain.commerce.stock import Stock, stock_id
from projections.commerce.order import order as order_detail
from sagas.commerce.order import CONFIRM_WITHIN
from tests.commerce.shop import (
    BUYER,
    CUSTOMER,
    MERCHANT,
    ORDER,
    PAYMENT,
    POT,
    TEA,
    WALLET,
    named,
    place,
    stocked,
)

SAVINGS = 2_000_000
PRICE = Money(3000, "EUR")
OFFICER = Caller(actor="00000000-0000-7000-8000-00000000000f")
SELLER = named("seller")
UNDECIDED = (
    PaymentStatus.REQUESTED,
    PaymentStatus.AUTHORISED,
    PaymentStatus.CAPTURING,
    PaymentStatus.VOIDING,
)
MINE = WalletPart(account_id=BUYER)


def account(holder, balance=0):
    """An account with money on it."""
    opened = AccountOpened(holder_id=holder, kind="checking", currency="EUR", number=str(holder))
    paid_in = MoneyDeposited(
        deposit_id=named(f"deposit {holder}"),
        amount=balance,
        currency="EUR",
        balance=balance,
        source="cash",
    )
    return [opened, paid_in] if balance else [opened]


@pytest.fixture
def bank(world):
    """A shop, and a bank where its buyer and its merchant have accounts."""
    yield world.given(
        {
            BUYER: account(CUSTOMER, SAVINGS),
            MERCHANT: account(SELLER),
            **stocked(tea=5, pot=600),
        }
    )
    for watcher in watch():
        for fact, at in world.facts():
            watcher.see(at.stream, fact)
        assert watcher.breaches() == []


def balance(bank, id):
    return bank.state(Account, id).funds.balance


def free(bank, id):
    return bank.state(Account, id).funds.available(bank.clock.now())


def check_undone(bank, reason=None):
    """Stock, money and order are as if nothing had been, and stay so."""
    bank.after(timedelta(days=40))
    order, payment = bank.state(Order, ORDER), bank.state(Payment, PAYMENT)
    assert order.status is Status.CANCELLED
    assert payment.left == 0
    assert payment.status not in UNDECIDED
    assert (balance(bank, BUYER), free(bank, BUYER)) == (SAVINGS, SAVINGS)
    assert balance(bank, MERCHANT) == 0
    for product, on_hand in ((TEA, 5), (POT, 600)):
        stock = bank.state(Stock, stock_id(product))
        assert (stock.on_hand, stock.holdings) == (on_hand, {})
    if reason:
        assert bank.rows(order_detail(ORDER))["reason"] == reason


def test_a_wallet_pays_the_merchant(bank):
    bank.when(place(MINE, tea=2, pot=1))
    assert bank.state(Order, ORDER).status is Status.PAID
    assert (balance(bank, BUYER), balance(bank, MERCHANT)) == (SAVINGS - 3000, 3000)
    assert free(bank, BUYER) == SAVINGS - 3000
    bank.after(timedelta(days=40))
    assert bank.state(Order, ORDER).status is Status.PAID
    assert bank.rows(order_detail(ORDER))["payments"][0]["method"] == "wallet"


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([], "account_not_found"),
        (account(CUSTOMER, 999), "insufficient_funds"),
        ([*account(CUSTOMER, 5000), AccountFrozen(reason="lost")], "account_frozen"),
        ([*account(CUSTOMER), AccountClosed()], "account_closed"),
        (account(named("somebody else"), 5000), "account_not_found"),
    ],
)
def test_an_account_that_cannot_pay_undoes_the_order(bank, history, reason):
    if history:
        bank.given({named("other"): history})
    bank.when(place(WalletPart(account_id=named("other")), tea=2))
    check_undone(bank, reason)


def test_something_else_in_the_bank_is_no_account(bank):
    bank.when(place(MINE, order=named("first"), tea=1))
    transfer = next(at.stream for _, at in bank.facts() if at.kind == "banking.transfer")
    bank.when(place(WalletPart(account_id=transfer), tea=2))
    bank.after(CONFIRM_WITHIN)
    assert bank.state(Order, ORDER).status is Status.CANCELLED
    assert bank.state(Payment, PAYMENT).status not in UNDECIDED
    assert bank.state(Stock, stock_id(TEA)).available == 4


def test_cancelling_at_once_leaves_nothing_held(bank):
    bank.when(place(MINE, tea=2), CancelOrder(order_id=ORDER, reason="no"))
    check_undone(bank, "no")


def test_cancelling_a_paid_order_moves_the_money_back(bank):
    bank.when(place(MINE, tea=2, pot=1)).when(CancelOrder(order_id=ORDER, reason="no"))
    assert [r["status"] for r in bank.rows(order_detail(ORDER))["refunds"]] == ["done"]
    check_undone(bank, "no")


def test_cancelled_units_are_paid_back(bank):
    cut = CancelLine(order_id=ORDER, product_id=TEA, quantity=1)
    bank.when(place(MINE, tea=2, pot=1)).when(cut)
    assert (balance(bank, BUYER), balance(bank, MERCHANT)) == (SAVINGS - 2500, 2500)


def test_a_merchant_that_takes_no_money_undoes_the_order(bank):
    bank.given({MERCHANT: [AccountClosed()]}).when(place(MINE, tea=2, pot=1))
    assert CaptureFailed(order_id=ORDER, reason="account_closed") in bank.new_facts()
    check_undone(bank, "account_closed")


def test_a_refund_that_the_merchant_cannot_pay_is_visible(bank):
    bank.when(place(MINE, tea=2)).when(FreezeAccount(account_id=MERCHANT, reason="fraud"))
    bank.when(CancelOrder(order_id=ORDER))
    (refund,) = bank.rows(order_detail(ORDER))["refunds"]
    assert (refund["status"], refund["failure"]) == ("failed", "account_frozen")
    assert bank.state(Payment, PAYMENT).left == 1000


@pytest.fixture
def flagged(bank):
    """An order so large that its transfer waits for approval."""
    bank.when(place(MINE, pot=500))
    assert bank.state(Transfer, PAYMENT).status is TransferStatus.WAITING
    assert bank.state(Order, ORDER).status is Status.CONFIRMED
    assert (balance(bank, BUYER), free(bank, BUYER)) == (SAVINGS, SAVINGS - 1_000_000)
    return bank


def test_an_order_waits_for_the_approval_of_its_transfer(flagged):
    flagged.after(timedelta(hours=20))
    assert flagged.state(Order, ORDER).status is Status.CONFIRMED
    flagged.when(ApproveTransfer(transfer_id=PAYMENT), by=OFFICER)
    assert flagged.state(Order, ORDER).status is Status.PAID
    assert balance(flagged, MERCHANT) == 1_000_000


def test_a_rejected_transfer_undoes_the_order(flagged):
    flagged.when(RejectTransfer(transfer_id=PAYMENT, reason="odd"), by=OFFICER)
    check_undone(flagged, "rejected")


def test_a_transfer_that_nobody_decides_on_undoes_the_order(flagged):
    flagged.after(timedelta(hours=24))
    check_undone(flagged, "approval_expired")


def test_an_account_frozen_before_the_approval_undoes_the_order(flagged):
    flagged.when(FreezeAccount(account_id=BUYER, reason="stolen"))
    flagged.when(ApproveTransfer(transfer_id=PAYMENT), by=OFFICER)
    check_undone(flagged, "account_frozen")


def test_cancelling_while_the_transfer_waits_frees_the_money_at_once(flagged):
    flagged.when(CancelOrder(order_id=ORDER, reason="too slow"))
    assert free(flagged, BUYER) == SAVINGS
    flagged.when(ApproveTransfer(transfer_id=PAYMENT), by=OFFICER)
    assert flagged.state(Transfer, PAYMENT).status is TransferStatus.FAILED
    assert not any(isinstance(fact, PaymentCaptured) for fact, _ in flagged.facts())
    check_undone(flagged, "too slow")


def test_cancelling_when_the_money_has_moved_moves_it_back(flagged):
    flagged.when(ApproveTransfer(transfer_id=PAYMENT), by=OFFICER)
    flagged.when(CancelOrder(order_id=ORDER, reason="no"))
    # The way back is as large, and is looked at as well.
    (refund,) = flagged.rows(order_detail(ORDER))["refunds"]
    assert refund["status"] == "pending"
    flagged.when(ApproveTransfer(transfer_id=refund["id"]), by=OFFICER)
    check_undone(flagged, "no")


def test_a_hold_that_a_person_places_is_not_taken_for_the_order_s(bank):
    request = PaymentRequested(order_id=ORDER, reference=str(PAYMENT), method=WALLET, amount=PRICE)
    bank.given({PAYMENT: [request]})
    bank.when(PlaceHold(account_id=BUYER, hold_id=PAYMENT, amount=1, currency="EUR"))
    assert bank.state(Payment, PAYMENT).status is PaymentStatus.REQUESTED
