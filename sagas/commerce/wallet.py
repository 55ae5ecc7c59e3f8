"""Payment from a wallet: a hold on the buyer's account, then a transfer to the merchant's."""

from collections.abc import Iterable
from uuid import UUID

from commands.banking.hold import PlaceHold, ReleaseHold
from commands.banking.transfer import RequestTransfer
from commands.commerce.payment import (
    LapseAuthorisation,
    ReversePayment,
    SettleAuthorisation,
    SettleCapture,
)
from domain import Envelope, Event, is_derived
from domain.banking.hold import HoldExpired, HoldPlaced, HoldRefused
from domain.banking.transfer import TransferCompleted, TransferFailed
from domain.commerce.authorisation import AuthorisedTooLate, VoidRequested
from domain.commerce.payment import (
    CaptureFailed,
    CaptureRequested,
    Payment,
    PaymentRequested,
    ReversalRequested,
    Status,
)
from domain.commerce.wallet import HOLD_FOR
from sagas import Standing, Step, saga
from sagas.commerce.payment import compensate, standing


def _asked_for(fact: Event, at: Envelope) -> UUID | None:
    """Find the payment that banking answers: its hold and its transfer have its id."""
    match fact:
        case HoldPlaced(hold_id=id) | HoldRefused(hold_id=id) | HoldExpired(hold_id=id):
            return id if is_derived(id) else None
        case TransferCompleted() | TransferFailed():
            return at.stream if is_derived(at.stream) else None
    return None


def _stands(payment: Payment) -> Standing | None:
    return None if payment.method.is_card else standing(payment)


@saga(
    process=Payment,
    key="payment_id",
    follows=("commerce", "banking"),
    locate=_asked_for,
    stands=_stands,
    compensate=compensate,
    undoing=(ReleaseHold, LapseAuthorisation, ReversePayment),
)
def react(id: UUID, fact: Event, payment: Payment) -> Iterable[Step]:
    """Say what to ask banking for, and what its answers mean to the payment."""
    buyer, merchant = payment.method.account_id, payment.method.merchant_account_id
    if buyer is None or merchant is None:
        return
    currency = payment.amount.currency
    match fact:
        case PaymentRequested(amount=amount, payer_id=payer):
            yield PlaceHold(
                account_id=buyer,
                holder_id=payer,
                hold_id=id,
                amount=amount.amount,
                currency=currency,
                lifetime_s=int(HOLD_FOR.total_seconds()),
            )
        case HoldPlaced(by_process=True):
            yield _answer(id, payment, approved=True)
        case HoldRefused(reason=reason):
            yield _answer(id, payment, approved=False, reason=reason)
        case CaptureRequested(amount=amount):
            yield RequestTransfer(
                transfer_id=id,
                source=buyer,
                target=merchant,
                amount=amount,
                currency=currency,
                hold_id=id,
                reference=f"order {payment.order_id}",
            )
        case TransferCompleted():
            yield SettleCapture(payment_id=id, approved=True)
        case TransferFailed(reason=reason):
            yield SettleCapture(payment_id=id, approved=False, reason=reason)
        case ReversalRequested() if payment.status is Status.CAPTURING:
            # A transfer that waits for approval can no longer draw on it; one that drew completes.
            yield ReleaseHold(account_id=buyer, hold_id=id)
        case VoidRequested() | AuthorisedTooLate() | CaptureFailed():
            yield ReleaseHold(account_id=buyer, hold_id=id)
            yield LapseAuthorisation(payment_id=id, reason="hold_released")
        case HoldExpired():
            yield LapseAuthorisation(payment_id=id, reason="hold_expired")


def _answer(id: UUID, payment: Payment, *, approved: bool, reason: str = "") -> SettleAuthorisation:
    return SettleAuthorisation(
        payment_id=id,
        reference=payment.reference,
        approved=approved,
        amount=payment.amount.amount,
        currency=payment.amount.currency,
        reason=reason,
    )
