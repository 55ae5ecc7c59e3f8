"""The refund process: send money back the way it came, and ask again when nobody answers."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.commerce.refund import RefundCard
from domain import Event
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


@saga(process=Refund, key="refund_id")
def react(id: UUID, fact: Event, refund: Refund) -> Iterable[Step]:
    """Say what follows from a fact about a refund."""
    if refund.payment_id is None:
        return
    match fact:
        case RefundOpened(payment_id=payment) if refund.method.is_card:
            yield RefundCard(payment_id=payment, refund_id=id)
        case RefundPending(attempt=n) if n < MAX_ATTEMPTS:
            ask = RefundCard(payment_id=refund.payment_id, refund_id=id)
            yield Deadline("answer", ASK_AGAIN_AFTER * n, ask)
        case PaymentRefunded() | RefundFailed():
            yield Cancel("answer")
