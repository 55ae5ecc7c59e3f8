"""The payment process: ask the acquirer, ask again when it is silent, undo what is not wanted."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.commerce.payment import (
    AuthoriseCard,
    CaptureCard,
    GiveUpAuthorisation,
    GiveUpCapture,
    ReversePayment,
    VoidCard,
)
from commands.commerce.refund import OpenRefund, RefundUpTo
from domain import Event, Money
from domain.commerce.authorisation import (
    AuthorisationPending,
    AuthorisedTooLate,
    PaymentAuthorised,
    PaymentDeclined,
    PaymentVoided,
    VoidPending,
    VoidRequested,
)
from domain.commerce.payment import (
    CaptureFailed,
    CapturePending,
    CaptureRequested,
    Payment,
    PaymentCaptured,
    PaymentFailed,
    PaymentRequested,
    ReversalRequested,
    Status,
)
from domain.commerce.refund import RefundRequested, refund_id
from sagas import Cancel, Deadline, Standing, Step, saga
from sagas.commerce.refund import MAX_ATTEMPTS as MAX_REFUND_TRIES

ASK_AGAIN_AFTER = timedelta(minutes=1)
RESTING = (Status.CAPTURED, Status.DECLINED, Status.VOIDED)
MAX_ATTEMPTS = 3
"""How often the acquirer is asked for one thing, ever later, before nobody waits any longer."""
MAX_VOIDS = 10
"""How often a void is asked for, ever more slowly, before it is left to a person."""


def standing(payment: Payment) -> Standing:
    """Say how far a payment is with its refunds, by card or from a wallet."""
    resting = payment.status in RESTING
    owed = [part for part in payment.refunds.parts.values() if part.status == "pending"]
    amount = sum(part.amount for part in owed) if resting else payment.amount.amount
    given_up = payment.status is Status.VOIDING and payment.attempts >= MAX_VOIDS
    return Standing(
        phase="refunding" if resting and owed else payment.status,
        ended=resting and not owed,
        at_stake=Money(amount, payment.amount.currency) if amount else None,
        needs_person=given_up or any(part.attempts >= MAX_REFUND_TRIES for part in owed),
    )


def compensate(id: UUID, payment: Payment, reason: str) -> object | None:
    """Say what undoes a payment; None when nothing is left to undo."""
    undone = payment.reversing or payment.status in (Status.VOIDING, Status.VOIDED, Status.DECLINED)
    return None if undone else ReversePayment(payment_id=id, reason=reason)


def _stands(payment: Payment) -> Standing | None:
    return standing(payment) if payment.method.is_card else None


@saga(
    process=Payment,
    key="payment_id",
    stands=_stands,
    compensate=compensate,
    undoing=(GiveUpAuthorisation, GiveUpCapture, VoidCard, ReversePayment, RefundUpTo),
)
def react(id: UUID, fact: Event, payment: Payment) -> Iterable[Step]:
    """Say what follows from a fact of a payment."""
    match fact:
        case RefundRequested(refund_id=refund, amount=amount):
            yield _open_refund(id, refund, amount, payment)
        case PaymentCaptured() if payment.reversing:
            yield _refund_all(id)
        case ReversalRequested() if payment.status is Status.CAPTURED:
            yield _refund_all(id)
    if payment.method.is_card:
        yield from _ask(id, fact, payment)


def _ask(id: UUID, fact: Event, payment: Payment) -> Iterable[Step]:
    """Say what to ask the acquirer for, and when to ask again."""
    match fact:
        case PaymentRequested():
            yield AuthoriseCard(payment_id=id)
        case AuthorisationPending(attempt=n) if n < MAX_ATTEMPTS:
            yield Deadline("answer", ASK_AGAIN_AFTER * n, AuthoriseCard(payment_id=id))
        case AuthorisationPending(attempt=n):
            yield Deadline("answer", ASK_AGAIN_AFTER * n, GiveUpAuthorisation(payment_id=id))
        case CaptureRequested():
            yield CaptureCard(payment_id=id)
        case CapturePending(attempt=n) if n < MAX_ATTEMPTS:
            yield Deadline("answer", ASK_AGAIN_AFTER * n, CaptureCard(payment_id=id))
        case CapturePending(attempt=n):
            yield Deadline("answer", ASK_AGAIN_AFTER * n, GiveUpCapture(payment_id=id))
        case VoidRequested() | PaymentFailed() | CaptureFailed() | AuthorisedTooLate():
            yield Cancel("answer")
            yield VoidCard(payment_id=id)
        case VoidPending(attempt=n) if n < MAX_VOIDS:
            yield Deadline("answer", ASK_AGAIN_AFTER * n, VoidCard(payment_id=id))
        case PaymentAuthorised() | PaymentDeclined() | PaymentCaptured() | PaymentVoided():
            yield Cancel("answer")


def _refund_all(id: UUID) -> RefundUpTo:
    return RefundUpTo(
        payment_id=id, refund_id=refund_id(id, "reversal"), amount=None, reason="order_cancelled"
    )


def _open_refund(id: UUID, refund: UUID, amount: int, payment: Payment) -> OpenRefund:
    method = payment.method
    return OpenRefund(
        refund_id=refund,
        payment_id=id,
        order_id=payment.order_id,
        method="card" if method.is_card else "wallet",
        account_id=method.account_id,
        merchant_account_id=method.merchant_account_id,
        amount=amount,
        currency=payment.amount.currency,
    )
