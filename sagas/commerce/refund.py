"""The refund process: send money back the way it came, and ask again when nobody answers."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.banking.transfer import RequestTransfer
from commands.commerce.refund import RefundCard, SettleRefund
from domain import Envelope, Event, is_derived
from domain.banking.transfer import TransferCompleted, TransferFailed
from domain.commerce.gateway import PaymentMethod
from domain.commerce.refund import (
    PaymentRefunded,
    Refund,
    RefundFailed,
    RefundOpened,
    RefundPending,
)
from sagas import Cancel, Deadline, Step, saga

ASK_AGAIN_AFTER = timedelta(minutes=1)
MAX_ATTEMPTS = 10
"""How often a refund is asked for, ever more slowly, before it is left to a person."""


def _transfer(fact: Event, at: Envelope) -> UUID | None:
    """Find the refund that a transfer ends: it has its id."""
    ended = isinstance(fact, TransferCompleted | TransferFailed)
    return at.stream if ended and is_derived(at.stream) else None


@saga(process=Refund, key="refund_id", follows=("commerce", "banking"), locate=_transfer)
def react(id: UUID, fact: Event, refund: Refund) -> Iterable[Step]:
    """Say what follows from a fact about a refund."""
    payment = refund.payment_id
    if payment is None:
        return
    match fact:
        case RefundOpened() if refund.method.is_card:
            yield RefundCard(payment_id=payment, refund_id=id)
        case RefundOpened(
            amount=amount,
            method=PaymentMethod(
                account_id=UUID() as buyer, merchant_account_id=UUID() as merchant
            ),
        ):
            yield RequestTransfer(
                transfer_id=id,
                source=merchant,
                target=buyer,
                amount=amount.amount,
                currency=amount.currency,
                reference=f"refund of order {refund.order_id}",
            )
        case RefundPending(attempt=n) if n < MAX_ATTEMPTS:
            ask = RefundCard(payment_id=payment, refund_id=id)
            yield Deadline("answer", ASK_AGAIN_AFTER * n, ask)
        case PaymentRefunded() | RefundFailed():
            yield Cancel("answer")
        case TransferCompleted():
            yield SettleRefund(payment_id=payment, refund_id=id, approved=True)
        case TransferFailed(reason=reason):
            yield SettleRefund(payment_id=payment, refund_id=id, approved=False, reason=reason)
