"""Refunds: what went back to buyers, and what is on its way or failed."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from domain import Envelope, Event
from domain.commerce.refund import PaymentRefunded, RefundFailed, RefundPending, RefundRequested
from projections import Changes, count, key, moment, money, ref, table, text

refunds = table(
    "refunds",
    key(),
    ref("payment_id", index=True),
    ref("order_id", index=True),
    money("amount"),
    text("currency"),
    text("status"),
    text("reason"),
    text("failure", nullable=True),
    count("attempts"),
    moment("requested_at"),
    count("position"),
    history=True,
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep each refund as it stands; `attempts` counts what was left unanswered."""
    match fact:
        case RefundRequested(refund_id=id, order_id=order, amount=amount):
            rows.insert(
                refunds,
                id=id,
                payment_id=at.stream,
                order_id=order,
                amount=amount,
                currency=fact.currency,
                status="pending",
                reason=fact.reason,
                requested_at=at.time,
                position=at.position,
            )
        case RefundPending(refund_id=id, attempt=n):
            rows.update(refunds, id, attempts=n)
        case PaymentRefunded(refund_id=id):
            rows.update(refunds, id, status="done", attempts=0)
        case RefundFailed(refund_id=id, reason=reason):
            rows.update(refunds, id, status="failed", failure=reason, attempts=0)


def refunds_of(order_id: UUID) -> Select[Any]:
    """The refunds of an order, in the order they were asked for."""
    return select(refunds).where(refunds.c.order_id == order_id).order_by(refunds.c.position)
