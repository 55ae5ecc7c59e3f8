"""Cancelling an order, or units of it, wherever its process is."""

from datetime import timedelta

from commands.commerce.order import CancelLine, CancelOrder
from domain.commerce.authorisation import (
    AuthorisedTooLate,
)
from domain.commerce.line import OrderLineCancelled
from domain.commerce.order import OrderPaid
from domain.commerce.payment import (
    Payment,
    ReversalRequested,
)
from domain.commerce.refund import PaymentRefunded, RefundOpened, RefundRequested
from domain.commerce.stock import (
    StockReturned,
)
from projections.commerce.order import order as order_detail
from tests.commerce.shop import ORDER, PAYMENT, POT, TEA, named
from tests.commerce.steps import (
    RELEASED,
    RETURNED,
    VOIDED,
    answered_late,
    cancelled,
    ordered,
    undone,
    void_requested,
)

MINUTE = timedelta(minutes=1)


def test_cancelling_while_the_acquirer_is_silent_voids_what_it_may_hold(commerce):
    ordered(commerce, "tok_late").when(CancelOrder(order_id=ORDER, reason="too slow"))
    commerce.then(cancelled("too slow"), *RELEASED, void_requested("too slow"), VOIDED)
    answered_late(commerce).then(AuthorisedTooLate(order_id=ORDER, amount=3000), VOIDED)
    assert undone(commerce)
    commerce.after(timedelta(days=30)).then()


def test_cancelling_while_the_capture_is_silent_refunds_what_it_takes(commerce):
    ordered(commerce, "tok_capture_slow").when(CancelOrder(order_id=ORDER, reason="no"))
    commerce.then(cancelled("no"), *RETURNED, ReversalRequested(order_id=ORDER, reason="no"))
    commerce.after(MINUTE)
    assert [type(fact).__name__ for fact in commerce.new_facts()] == [
        "PaymentCaptured",
        "RefundRequested",
        "RefundOpened",
        "PaymentRefunded",
    ]
    assert commerce.state(Payment, PAYMENT).left == 0
    assert undone(commerce)


def test_cancelling_a_paid_order_refunds_it_and_returns_its_stock(commerce):
    ordered(commerce).when(CancelOrder(order_id=ORDER, reason="no"))
    assert [type(fact).__name__ for fact in commerce.new_facts()] == [
        "OrderCancelled",
        "StockReturned",
        "StockReturned",
        "ReversalRequested",
        "RefundRequested",
        "RefundOpened",
        "PaymentRefunded",
    ]
    assert undone(commerce)
    shown = commerce.rows(order_detail(ORDER))
    assert shown["payments"][0]["refunded"]["amount"] == 3000
    assert [refund["status"] for refund in shown["refunds"]] == ["done"]
    commerce.when(CancelOrder(order_id=ORDER, reason="no, really")).then()


def test_cancelling_units_of_a_paid_order_refunds_and_returns_those(commerce):
    cut = CancelLine(
        order_id=ORDER,
        product_id=TEA,
        quantity=1,
        reason="one is enough",
        cancellation_id=named("cut"),
    )
    ordered(commerce).when(cut, cut)
    facts = commerce.new_facts()
    assert facts[:2] == [
        OrderLineCancelled(
            cancellation_id=named("cut"),
            product_id=TEA,
            quantity=1,
            amount=500,
            reason="one is enough",
        ),
        StockReturned(product_id=TEA, order_id=ORDER, quantity=1),
    ]
    assert [type(fact) for fact in facts[2:]] == [RefundRequested, RefundOpened, PaymentRefunded]
    assert commerce.state(Payment, PAYMENT).left == 2500
    commerce.when(CancelOrder(order_id=ORDER, reason="none at all"))
    assert commerce.state(Payment, PAYMENT).left == 0
    assert undone(commerce)


def test_units_cancelled_before_the_capture_are_not_captured(commerce):
    cut = CancelLine(order_id=ORDER, product_id=POT, quantity=1, cancellation_id=named("cut"))
    ordered(commerce, "tok_slow").when(cut)
    commerce.after(MINUTE)
    assert commerce.new_facts()[-1] == OrderPaid(amount=1000)
    assert commerce.state(Payment, PAYMENT).captured == 1000


def test_units_cancelled_during_the_capture_are_refunded_after_it(commerce):
    cut = CancelLine(order_id=ORDER, product_id=POT, quantity=1, cancellation_id=named("cut"))
    ordered(commerce, "tok_capture_slow").when(cut)
    commerce.after(MINUTE)
    assert [type(fact).__name__ for fact in commerce.new_facts()] == [
        "PaymentCaptured",
        "OrderPaid",
        "RefundRequested",
        "RefundOpened",
        "PaymentRefunded",
    ]
    assert commerce.state(Payment, PAYMENT).left == 1000
