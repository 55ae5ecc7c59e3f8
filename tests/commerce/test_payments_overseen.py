"""Payments and orders in an operator's hands: nothing stays stuck when the acquirer is silent."""

from datetime import timedelta

from domain import Money
from domain.commerce.order import Order
from domain.commerce.payment import Payment
from domain.commerce.stock import Stock, stock_id
from sagas.commerce.payment import MAX_VOIDS
from tests.commerce.shop import ORDER, PAYMENT, TEA
from tests.commerce.steps import ordered
from tests.overseeing import again, by_olga, compensated, listed, shown, steps_of


def test_a_void_that_nobody_answers_is_left_to_a_person_who_asks_again(commerce) -> None:
    ordered(commerce, "tok_timeout+tok_void_timeout")
    for _ in range(MAX_VOIDS + 5):
        commerce.after(timedelta(minutes=MAX_VOIDS))
    [found] = listed(commerce)
    assert (found.saga, found.id, found.phase) == ("commerce.payment", PAYMENT, "voiding")
    assert found.stuck == "gave up to go on by itself"
    assert found.at_stake == Money(3000, "EUR")
    asked = [one for one in steps_of(commerce, PAYMENT) if one.command == "commerce.VoidCard"]
    assert [one.attempt for one in asked] == [*range(1, MAX_VOIDS + 1)]
    assert asked[-1].answers == "deadline answer"
    commerce.acquirer._cards[str(PAYMENT)].tokens = frozenset()
    [told] = again(commerce, PAYMENT)
    assert told.startswith("VoidCard sent again: accepted")
    assert commerce.state(Payment, PAYMENT).status == "voided"
    assert listed(commerce) == []
    assert by_olga(commerce) == [("RetryProcess", "done", "the customer called")]


def test_an_order_whose_payment_hangs_is_undone_by_hand(commerce) -> None:
    ordered(commerce, "tok_timeout")
    assert {one.phase for one in listed(commerce)} == {"pending", "requested"}
    compensated(commerce, ORDER)
    assert commerce.state(Order, ORDER).status == "cancelled"
    assert commerce.state(Payment, PAYMENT).status == "voided"
    assert commerce.state(Stock, stock_id(TEA)).available == 5
    assert listed(commerce) == []


def test_a_paid_order_is_undone_with_its_money(commerce) -> None:
    ordered(commerce, "tok_refund_timeout")
    assert shown(commerce, ORDER).phase == "paid"
    compensated(commerce, ORDER)
    assert commerce.state(Order, ORDER).status == "cancelled"
    [found] = listed(commerce)
    assert (found.saga, found.phase, found.at_stake) == (
        "commerce.payment", "refunding", Money(3000, "EUR"),
    )  # fmt: skip
