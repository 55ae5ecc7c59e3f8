import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from commands import Caller
from commands.commerce.payment import SettleAuthorisation, SettleCapture, VoidCard
from domain import Event, Money, NotFound, ProcessOnly
from domain.commerce.authorisation import (
    AnswerMismatch,
    AuthorisationPending,
    AuthorisedTooLate,
    PaymentAuthorised,
    PaymentDeclined,
    PaymentVoided,
    VoidRequested,
)
from domain.commerce.gateway import Answer, Outcome
from domain.commerce.invariants import watch
from domain.commerce.payment import (
    CapturePending,
    CaptureRequested,
    CaptureTooHigh,
    Payment,
    PaymentCaptured,
    PaymentRequested,
    ReversalRequested,
    Status,
)
from domain.commerce.process import ACQUIRER
from domain.commerce.refund import RefundTooHigh
from projections.commerce.payment import payment as shown
from tests.commerce.matrix import check
from tests.commerce.shop import CARD, ORDER, PAYMENT, named

PRICE = Money(3000, "EUR")
REFERENCE = str(PAYMENT)
YES, NO = Answer(Outcome.APPROVED), Answer(Outcome.DECLINED, "no money")
SILENCE = Answer(Outcome.UNKNOWN)
requested = PaymentRequested(order_id=ORDER, reference=REFERENCE, method=CARD, amount=PRICE)
authorised = PaymentAuthorised(order_id=ORDER, amount=3000)
capturing = CaptureRequested(order_id=ORDER, amount=3000)
captured = PaymentCaptured(order_id=ORDER, amount=3000)
declined = PaymentDeclined(order_id=ORDER, reason="no money")
void_requested = VoidRequested(order_id=ORDER, reason="cancelled")
voided = PaymentVoided(order_id=ORDER)
reversing = ReversalRequested(order_id=ORDER, reason="cancelled")
HISTORIES: dict[str, list[Event]] = {
    "new": [],
    "requested": [requested],
    "authorised": [requested, authorised],
    "capturing": [requested, authorised, capturing],
    "captured": [requested, authorised, capturing, captured],
    "declined": [requested, declined],
    "voiding": [requested, void_requested],
    "voided": [requested, void_requested, voided],
}


def test_every_state_of_a_payment_answers_every_command():
    check(
        """
                  | new              | requested            | authorised       | capturing         | captured          | declined          | voiding           | voided
        request   | PaymentRequested | -                    | -                | -                 | -                 | -                 | -                 | -
        approve   | -                | PaymentAuthorised    | -                | -                 | -                 | AuthorisedTooLate | AuthorisedTooLate | AuthorisedTooLate
        decline   | -                | PaymentDeclined      | -                | -                 | -                 | -                 | PaymentVoided     | -
        silence   | -                | AuthorisationPending | -                | -                 | -                 | -                 | -                 | -
        give up   | -                | PaymentFailed        | -                | -                 | -                 | -                 | -                 | -
        lapse     | -                | -                    | PaymentFailed PaymentVoided | -      | -                 | -                 | PaymentVoided     | -
        capture   | not_found        | -                    | CaptureRequested | -                 | -                 | -                 | -                 | -
        overdraw  | not_found        | -                    | capture_too_high | -                 | -                 | -                 | -                 | -
        take      | -                | -                    | -                | PaymentCaptured   | -                 | -                 | -                 | -
        take not  | -                | -                    | -                | CaptureFailed     | -                 | -                 | -                 | -
        take when | -                | -                    | -                | CapturePending    | -                 | -                 | -                 | -
        reverse   | -                | VoidRequested        | VoidRequested    | ReversalRequested | ReversalRequested | -                 | -                 | -
        void      | -                | -                    | -                | -                 | -                 | -                 | PaymentVoided     | -
        void not  | -                | -                    | -                | -                 | -                 | -                 | VoidPending       | -
        refund    | not_found        | payment_not_captured | payment_not_captured | payment_not_captured | RefundRequested | payment_not_captured | payment_not_captured | payment_not_captured
        refund up to | -             | -                    | -                | -                 | RefundRequested   | -                 | -                 | -
        """,  # noqa: E501
        Payment(),
        HISTORIES,
        {
            "request": lambda p: p.request(requested),
            "approve": lambda p: p.note_authorisation(YES),
            "decline": lambda p: p.note_authorisation(NO),
            "silence": lambda p: p.note_authorisation(SILENCE),
            "give up": lambda p: p.give_up_authorisation("no_answer"),
            "lapse": lambda p: p.lapse("hold_expired"),
            "capture": lambda p: p.capture(3000),
            "overdraw": lambda p: p.capture(3001),
            "take": lambda p: p.note_capture(YES),
            "take not": lambda p: p.note_capture(NO),
            "take when": lambda p: p.note_capture(SILENCE),
            "reverse": lambda p: p.reverse("cancelled"),
            "void": lambda p: p.note_void(YES),
            "void not": lambda p: p.note_void(SILENCE),
            "refund": lambda p: p.refund(named("refund"), 100, "sorry"),
            "refund up to": lambda p: p.refund_up_to(named("refund"), 100, "sorry"),
        },
        repeatable=frozenset({"silence", "take when", "void not"}),
    )


@pytest.mark.parametrize("status", [*HISTORIES])
def test_an_answer_that_does_not_fit_the_request_changes_nothing(status):
    payment = Payment().fold(HISTORIES[status])
    for reference, amount in (
        ("forged", PRICE),
        (REFERENCE, Money(2999, "EUR")),
        (
            REFERENCE,
            Money(3000, "USD"),
        ),
    ):
        with pytest.raises(NotFound if status == "new" else AnswerMismatch):
            payment.settle_authorisation(reference, amount, approved=True, reason="")


@pytest.mark.parametrize("status", ["declined", "voiding", "voided"])
def test_money_that_is_held_too_late_is_voided_once(status):
    payment = Payment().fold(HISTORIES[status])
    late = AuthorisedTooLate(order_id=ORDER, amount=3000)
    assert payment.settle_authorisation(REFERENCE, PRICE, approved=True, reason="") == [late]
    payment = payment.fold([late])
    assert payment.status is Status.VOIDING
    assert payment.settle_authorisation(REFERENCE, PRICE, approved=True, reason="") == []
    payment = payment.fold([voided])
    assert payment.settle_authorisation(REFERENCE, PRICE, approved=True, reason="") == []


def test_unanswered_requests_are_counted_per_step():
    payment = Payment().fold([requested])
    for attempt in (1, 2):
        (pending,) = payment.note_authorisation(SILENCE)
        assert pending == AuthorisationPending(order_id=ORDER, attempt=attempt)
        payment = payment.fold([pending])
    payment = payment.fold([authorised, capturing])
    assert payment.note_capture(SILENCE) == [CapturePending(order_id=ORDER, attempt=1)]


AMOUNTS = st.integers(1, 150)
ANSWERS = st.sampled_from([YES, NO, SILENCE])


class Money100(RuleBasedStateMachine):
    """Any commands in any order about a payment of 100, against the invariants of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.payment = Payment()
        self.refunds = 0
        self.watchers = watch()
        self.take(
            self.payment.request(msgspec.structs.replace(requested, amount=Money(100, "EUR")))
        )

    def take(self, facts):
        for fact in facts:
            for watcher in self.watchers:
                watcher.see(PAYMENT, fact)
        self.payment = self.payment.fold(facts)

    @rule(answer=ANSWERS)
    def authorise(self, answer):
        self.take(self.payment.note_authorisation(answer))

    @rule(amount=AMOUNTS)
    def capture(self, amount):
        try:
            self.take(self.payment.capture(amount))
        except CaptureTooHigh:
            assert amount > 100

    @rule(answer=ANSWERS)
    def answer_capture(self, answer):
        self.take(self.payment.note_capture(answer))

    @rule()
    def reverse(self):
        self.take(self.payment.reverse("cancelled"))

    @rule(answer=ANSWERS)
    def void(self, answer):
        self.take(self.payment.note_void(answer))

    @rule(amount=AMOUNTS)
    def refund(self, amount):
        if self.payment.status is not Status.CAPTURED:
            return
        self.refunds += 1
        try:
            self.take(self.payment.refund(named(f"refund {self.refunds}"), amount, ""))
        except RefundTooHigh:
            assert amount > self.payment.left

    @rule(amount=AMOUNTS | st.none())
    def refund_up_to(self, amount):
        self.refunds += 1
        self.take(self.payment.refund_up_to(named(f"refund {self.refunds}"), amount, ""))

    @rule(number=st.integers(1, 5), answer=ANSWERS)
    def answer_refund(self, number, answer):
        self.take(self.payment.note_refund(named(f"refund {number}"), answer))

    @invariant()
    def money_stays_in_bounds(self):
        assert 0 <= self.payment.left <= self.payment.captured <= 100
        assert [b for watcher in self.watchers for b in watcher.breaches()] == []


TestMoney100 = Money100.TestCase
TestMoney100.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def settle(amount=3000):
    return SettleAuthorisation(
        payment_id=PAYMENT, reference=REFERENCE, approved=True, amount=amount, currency="EUR"
    )


def test_only_the_acquirer_answers_and_only_to_what_was_asked(commerce):
    acquirer = Caller(actor=ACQUIRER)
    commerce.when(settle(), by=acquirer).refused(NotFound)
    commerce.given({PAYMENT: [requested]})
    commerce.when(settle()).refused(ProcessOnly)
    commerce.when(SettleCapture(payment_id=PAYMENT, approved=True)).refused(ProcessOnly)
    commerce.when(settle(amount=1), by=acquirer).refused(AnswerMismatch)
    commerce.when(settle(), settle(), by=acquirer).then(authorised)
    assert commerce.rows(shown(PAYMENT))["status"] == "authorised"


def test_a_void_that_nobody_asked_for_does_nothing(commerce):
    commerce.given({PAYMENT: HISTORIES["captured"]})
    commerce.when(VoidCard(payment_id=PAYMENT)).then()
    row = commerce.rows(shown(PAYMENT))
    assert (row["captured"]["amount"], row["refunded"]["amount"], row["version"]) == (3000, 0, 4)
