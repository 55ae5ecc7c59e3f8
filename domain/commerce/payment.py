"""The payment of one order: authorised, captured once, undone by a void or by refunds."""

from enum import StrEnum
from uuid import UUID, uuid5

from domain import Event, Money, NotFound, Refused, State
from domain.commerce.authorisation import (
    AnswerMismatch,
    AuthorisationPending,
    AuthorisedTooLate,
    PaymentAuthorised,
    PaymentDeclined,
    PaymentVoided,
    VoidPending,
    VoidRequested,
)
from domain.commerce.gateway import Answer, Outcome, PaymentMethod
from domain.commerce.refund import Refunds

STREAMS = UUID("6d1c0f5e-3b0a-4c0e-9a51-6f2f7a1f3c02")


def payment_id(order_id: UUID) -> UUID:
    """Return the stream of the payment of an order: each order has one."""
    return uuid5(STREAMS, str(order_id))


class NotCaptured(Refused, code="payment_not_captured"):
    """Only money that was captured can be refunded."""


class CaptureTooHigh(Refused, code="capture_too_high"):
    """More than was authorised can't be captured."""


class PaymentRequested(Event, frozen=True):
    """An order asks to be paid."""

    TOPIC = "commerce.payment.requested"
    order_id: UUID
    reference: str
    """What the acquirer knows the authorisation by."""
    method: PaymentMethod
    amount: Money
    payer_id: UUID | None = None
    """Whose order it is: a wallet has to be theirs. None in facts from before it was asked."""


class PaymentFailed(Event, frozen=True):
    """The authorisation is given up; whatever may be held is voided."""

    TOPIC = "commerce.payment.failed"
    order_id: UUID
    reason: str


class CaptureRequested(Event, frozen=True):
    """The held money, or a part of it, is to be taken."""

    TOPIC = "commerce.payment.capture_requested"
    order_id: UUID
    amount: int


class CapturePending(Event, frozen=True):
    """No answer yet to the capture."""

    TOPIC = "commerce.payment.capture_pending"
    order_id: UUID
    attempt: int


class PaymentCaptured(Event, frozen=True):
    """The money is the merchant's."""

    TOPIC = "commerce.payment.captured"
    order_id: UUID
    amount: int


class CaptureFailed(Event, frozen=True):
    """The money was not taken; what is held is voided."""

    TOPIC = "commerce.payment.capture_failed"
    order_id: UUID
    reason: str


class ReversalRequested(Event, frozen=True):
    """The order no longer wants the payment, which is captured or about to be: it goes back."""

    TOPIC = "commerce.payment.reversal_requested"
    order_id: UUID
    reason: str


class Status(StrEnum):
    """Where the money is."""

    NEW = "new"
    REQUESTED = "requested"
    AUTHORISED = "authorised"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDING = "voiding"
    VOIDED = "voided"


class Payment(State, frozen=True):
    """What a payment remembers in order to decide."""

    KIND = "commerce.payment"
    status: Status = Status.NEW
    order_id: UUID = UUID(int=0)
    reference: str = ""
    method: PaymentMethod = PaymentMethod(kind="card")
    amount: Money = Money(0, "")
    authorised: int = 0
    captured: int = 0
    """From the request to capture on: the amount that is or will be taken."""
    attempts: int = 0
    """Unanswered requests of the present status."""
    reversing: bool = False
    refunds: Refunds = Refunds()

    @property
    def left(self) -> int:
        """What is captured and not refunded, nor about to be."""
        if self.status is not Status.CAPTURED:
            return 0
        return self.captured - self.refunds.total

    def request(self, asked: PaymentRequested) -> list[Event]:
        """Ask for the money of an order."""
        return [asked] if self.status is Status.NEW else []

    def note_authorisation(self, answer: Answer) -> list[Event]:
        """Take the answer to the authorisation, however late it is."""
        order_id = self.order_id
        waits = self.status is Status.REQUESTED
        match answer.outcome:
            case Outcome.APPROVED if self.authorised or self.status is Status.NEW:
                return []
            case Outcome.APPROVED if waits:
                return [PaymentAuthorised(order_id=order_id, amount=self.amount.amount)]
            case Outcome.APPROVED:
                return [AuthorisedTooLate(order_id=order_id, amount=self.amount.amount)]
            case Outcome.DECLINED if waits:
                return [PaymentDeclined(order_id=order_id, reason=answer.reason)]
            case Outcome.DECLINED if self.status is Status.VOIDING and not self.authorised:
                return [PaymentVoided(order_id=order_id)]
            case Outcome.UNKNOWN if waits:
                return [AuthorisationPending(order_id=order_id, attempt=self.attempts + 1)]
        return []

    def settle_authorisation(
        self, reference: str, amount: Money, approved: bool, reason: str
    ) -> list[Event]:
        """Take an answer that came by itself; refuse one that does not fit the request."""
        self.check_known()
        if reference != self.reference or amount != self.amount:
            raise AnswerMismatch(
                f"the answer is about {reference} over {amount.amount} {amount.currency}, the "
                f"request was {self.reference} over {self.amount.amount} {self.amount.currency}; "
                "ask the acquirer to check it"
            )
        outcome = Outcome.APPROVED if approved else Outcome.DECLINED
        return self.note_authorisation(Answer(outcome, reason))

    def give_up_authorisation(self, reason: str) -> list[Event]:
        """Wait no longer for the authorisation."""
        if self.status is not Status.REQUESTED:
            return []
        return [PaymentFailed(order_id=self.order_id, reason=reason)]

    def lapse(self, reason: str) -> list[Event]:
        """Note that what was held is held no more."""
        match self.status:
            case Status.AUTHORISED:
                failed = PaymentFailed(order_id=self.order_id, reason=reason)
                return [failed, PaymentVoided(order_id=self.order_id)]
            case Status.VOIDING:
                return [PaymentVoided(order_id=self.order_id)]
        return []

    def capture(self, amount: int) -> list[Event]:
        """Take the held money, or a part of it, once."""
        self.check_known()
        if self.status is not Status.AUTHORISED:
            return []
        if amount > self.authorised:
            raise CaptureTooHigh(
                f"{amount} exceeds the {self.authorised} authorised; capture at most that"
            )
        return [CaptureRequested(order_id=self.order_id, amount=amount)]

    def note_capture(self, answer: Answer) -> list[Event]:
        """Take the answer to the capture."""
        if self.status is not Status.CAPTURING:
            return []
        match answer.outcome:
            case Outcome.APPROVED:
                return [PaymentCaptured(order_id=self.order_id, amount=self.captured)]
            case Outcome.DECLINED:
                return [CaptureFailed(order_id=self.order_id, reason=answer.reason)]
        return [CapturePending(order_id=self.order_id, attempt=self.attempts + 1)]

    def reverse(self, reason: str) -> list[Event]:
        """Undo the payment, wherever it stands."""
        match self.status:
            case Status.REQUESTED | Status.AUTHORISED:
                return [VoidRequested(order_id=self.order_id, reason=reason)]
            case Status.CAPTURING | Status.CAPTURED if not self.reversing:
                return [ReversalRequested(order_id=self.order_id, reason=reason)]
        return []

    def note_void(self, answer: Answer) -> list[Event]:
        """Take the answer to the void."""
        if self.status is not Status.VOIDING:
            return []
        if answer.outcome is Outcome.APPROVED:
            return [PaymentVoided(order_id=self.order_id)]
        reason = answer.reason or "no_answer"
        return [VoidPending(order_id=self.order_id, attempt=self.attempts + 1, reason=reason)]

    def refund(self, refund_id: UUID, amount: int, reason: str) -> list[Event]:
        """Send back a part of the captured money, as a person asks."""
        self.check_known()
        if self.status is not Status.CAPTURED:
            raise NotCaptured(f"the payment is {self.status}; only a captured one can be refunded")
        return self.refunds.request(refund_id, amount, self.left, reason)

    def refund_up_to(self, refund_id: UUID, amount: int | None, reason: str) -> list[Event]:
        """Send back `amount`, or what is left when that is less or None is said."""
        return self.refunds.request_up_to(refund_id, amount, self.left, reason)

    def note_refund(self, refund_id: UUID, answer: Answer) -> list[Event]:
        """Take the answer to a refund."""
        return self.refunds.note(refund_id, answer)

    def check_known(self) -> None:
        """Refuse a payment that was never requested."""
        if self.status is Status.NEW:
            raise NotFound("no such payment; check the id")

    def evolve(self, event: Event) -> "Payment":
        """Return the payment after `event`."""
        match event:
            case PaymentRequested(order_id=order, reference=reference, method=m, amount=amount):
                return Payment(
                    status=Status.REQUESTED,
                    order_id=order,
                    reference=reference,
                    method=m,
                    amount=amount,
                    refunds=Refunds(order, amount.currency),
                )
            case (
                AuthorisationPending(attempt=n) | CapturePending(attempt=n) | VoidPending(attempt=n)
            ):
                return self.replace(attempts=n)
            case PaymentAuthorised(amount=amount):
                return self._to(Status.AUTHORISED, authorised=amount)
            case AuthorisedTooLate(amount=amount):
                return self._to(Status.VOIDING, authorised=amount)
            case PaymentDeclined():
                return self._to(Status.DECLINED)
            case PaymentFailed() | CaptureFailed():
                return self._to(Status.VOIDING, captured=0)
            case CaptureRequested(amount=amount):
                return self._to(Status.CAPTURING, captured=amount)
            case PaymentCaptured(amount=amount):
                return self._to(Status.CAPTURED, captured=amount)
            case ReversalRequested():
                return self.replace(reversing=True)
            case VoidRequested():
                return self._to(Status.VOIDING)
            case PaymentVoided():
                return self._to(Status.VOIDED)
        return self.replace(refunds=self.refunds.evolve(event))

    def _to(self, status: Status, **changes: object) -> "Payment":
        return self.replace(status=status, attempts=0, **changes)
