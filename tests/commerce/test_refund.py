from datetime import timedelta

import pytest

from commands.commerce.refund import RefundCard, RefundPayment, SettleRefund
from domain import Money, NotFound, ProcessOnly
from domain.commerce.gateway import Answer, Outcome, PaymentMethod
from domain.commerce.payment import NotCaptured, Payment, PaymentRequested
from domain.commerce.refund import (
    MAX_REFUNDS,
    Part,
    PaymentRefunded,
    Refund,
    RefundFailed,
    RefundOpened,
    RefundPending,
    RefundRequested,
    Refunds,
    RefundTooHigh,
    TooManyRefunds,
    refund_id,
)
from projections.commerce.payment import payment as shown
from sagas.commerce.refund import MAX_ATTEMPTS
from tests.commerce.matrix import check
from tests.commerce.shop import CARD, ORDER, PAYMENT, named
from tests.commerce.test_payment import HISTORIES

REQUEST = named("request")
REFUND = refund_id(PAYMENT, str(REQUEST))
refund_100 = RefundPayment(payment_id=PAYMENT, amount=100, reason="sorry", request_id=REQUEST)
asked = RefundRequested(
    order_id=ORDER, refund_id=REFUND, amount=100, currency="EUR", reason="sorry"
)
opened = RefundOpened(
    payment_id=PAYMENT,
    order_id=ORDER,
    amount=Money(100, "EUR"),
    method=PaymentMethod(kind="card"),
)
done = PaymentRefunded(order_id=ORDER, refund_id=REFUND, amount=100)


def pending(attempt):
    return RefundPending(order_id=ORDER, refund_id=REFUND, attempt=attempt)


def failed(reason):
    return RefundFailed(order_id=ORDER, refund_id=REFUND, reason=reason)


def test_every_state_of_a_refund_answers_every_command():
    check(
        """
                | none            | pending         | done | failed
        request | RefundRequested | -               | -    | -
        up to   | RefundRequested | -               | -    | -
        approve | -               | PaymentRefunded | -    | -
        decline | -               | RefundFailed    | -    | -
        silence | -               | RefundPending   | -    | -
        """,
        Payment().fold(HISTORIES["captured"]),
        {
            "none": [],
            "pending": [asked],
            "done": [asked, done],
            "failed": [asked, failed("no")],
        },
        {
            "request": lambda p: p.refund(REFUND, 100, "sorry"),
            "up to": lambda p: p.refund_up_to(REFUND, 4000, "sorry"),
            "approve": lambda p: p.note_refund(REFUND, Answer(Outcome.APPROVED)),
            "decline": lambda p: p.note_refund(REFUND, Answer(Outcome.DECLINED, "no")),
            "silence": lambda p: p.note_refund(REFUND, Answer(Outcome.UNKNOWN)),
        },
        repeatable=frozenset({"silence"}),
    )


def test_a_refund_is_opened_once():
    facts = Refund().open(PAYMENT, ORDER, Money(100, "EUR"), CARD)
    assert Refund().fold(facts).open(PAYMENT, ORDER, Money(100, "EUR"), CARD) == []


def test_refunds_together_are_at_most_what_was_captured():
    payment = Payment().fold([*HISTORIES["captured"], asked])
    with pytest.raises(RefundTooHigh, match="2900 that are left"):
        payment.refund(named("other"), 2901, "")
    assert payment.fold([failed("no")]).left == 3000
    assert payment.fold([done]).left == 2900
    rest = payment.refund_up_to(named("rest"), None, "")
    assert payment.fold(rest).left == 0
    assert payment.fold(rest).refund_up_to(named("more"), None, "") == []


def test_the_refunds_of_a_payment_are_bounded():
    full = Refunds(ORDER, "EUR", {named(str(n)): Part(1) for n in range(MAX_REFUNDS)})
    with pytest.raises(TooManyRefunds):
        full.request(REFUND, 1, 100, "")


def paid(commerce, token="tok_approve"):
    """A captured payment, which the acquirer remembers too."""
    method = PaymentMethod(kind="card", card_token=token)
    commerce.given(
        {
            PAYMENT: [
                PaymentRequested(
                    order_id=ORDER, reference=str(PAYMENT), method=method, amount=Money(3000, "EUR")
                ),
                *HISTORIES["captured"][1:],
            ]
        }
    )
    commerce.run(commerce.acquirer.authorise(str(PAYMENT), token, Money(3000, "EUR")))
    return commerce


def test_a_part_of_a_payment_goes_back_once(commerce):
    paid(commerce).when(refund_100, refund_100).then(asked, opened, done)
    row = commerce.rows(shown(PAYMENT))
    assert row["refunded"] == {"amount": 100, "currency": "EUR"}
    assert [(r["amount"]["amount"], r["status"]) for r in row["refunds"]] == [(100, "done")]


def test_several_parts_go_back_until_nothing_is_left(commerce):
    paid(commerce)
    for number in range(3):
        commerce.when(RefundPayment(payment_id=PAYMENT, amount=1000, request_id=named(str(number))))
    commerce.when(refund_100).refused(RefundTooHigh)
    assert commerce.rows(shown(PAYMENT))["refunded"]["amount"] == 3000


def test_a_declined_refund_leaves_the_money_to_be_refunded_in_another_way(commerce):
    paid(commerce, "tok_refund_decline").when(refund_100).then(
        asked, opened, failed("refund_declined")
    )
    (refund,) = commerce.rows(shown(PAYMENT))["refunds"]
    assert (refund["status"], refund["failure"]) == ("failed", "refund_declined")
    assert commerce.state(Payment, PAYMENT).left == 3000


def test_a_refund_without_an_answer_is_asked_for_again(commerce):
    paid(commerce, "tok_refund_slow").when(refund_100).then(asked, opened, pending(1))
    commerce.after(timedelta(minutes=1)).then(done)


def test_a_refund_that_is_never_answered_is_left_to_a_person(commerce):
    paid(commerce, "tok_refund_timeout").when(refund_100)
    for attempt in range(2, MAX_ATTEMPTS + 1):
        commerce.after(timedelta(minutes=10)).then(pending(attempt))
    commerce.after(timedelta(days=1)).then()
    (refund,) = commerce.rows(shown(PAYMENT))["refunds"]
    assert (refund["status"], refund["attempts"]) == ("pending", MAX_ATTEMPTS)
    again = RefundCard(payment_id=PAYMENT, refund_id=REFUND)
    commerce.when(again).then(pending(MAX_ATTEMPTS + 1))


def test_only_captured_money_goes_back_and_only_a_process_says_so(commerce):
    commerce.when(refund_100).refused(NotFound)
    commerce.given({PAYMENT: HISTORIES["authorised"]}).when(refund_100).refused(NotCaptured)
    commerce.when(SettleRefund(payment_id=PAYMENT, refund_id=REFUND, approved=True)).refused(
        ProcessOnly
    )
