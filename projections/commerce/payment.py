"""Payments: how far the money of each order is."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from domain import Envelope, Event
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
from domain.commerce.refund import PaymentRefunded
from projections import Changes, Detail, count, key, moment, money, ref, table, text
from projections.commerce.refund import refunds

payments = table(
    "payments",
    key(),
    ref("order_id", index=True),
    text("method"),
    ref("account_id", nullable=True),
    text("status"),
    money("amount"),
    money("authorised"),
    money("captured"),
    money("refunded"),
    text("currency"),
    count("attempts"),
    text("reason", nullable=True),
    moment("requested_at"),
    count("version"),
    history=True,
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep each payment as it stands. `attempts` counts what the acquirer left unanswered."""
    changes: dict[str, Any] = {}
    match fact:
        case PaymentRequested(order_id=order, method=method, amount=amount):
            rows.insert(
                payments,
                id=at.stream,
                order_id=order,
                method=method.kind,
                account_id=method.account_id,
                amount=amount.amount,
                currency=amount.currency,
                requested_at=at.time,
            )
            changes = {"status": Status.REQUESTED.value}
        case PaymentAuthorised(amount=amount):
            changes = {"status": Status.AUTHORISED.value, "authorised": amount, "attempts": 0}
        case PaymentDeclined(reason=reason):
            changes = {"status": Status.DECLINED.value, "reason": reason, "attempts": 0}
        case (
            PaymentFailed(reason=reason)
            | CaptureFailed(reason=reason)
            | VoidRequested(reason=reason)
        ):
            changes = {"status": Status.VOIDING.value, "reason": reason, "attempts": 0}
        case AuthorisedTooLate():
            changes = {"status": Status.VOIDING.value, "attempts": 0}
        case ReversalRequested(reason=reason):
            changes = {"reason": reason}
        case CaptureRequested():
            changes = {"status": Status.CAPTURING.value}
        case PaymentCaptured(amount=amount):
            changes = {"status": Status.CAPTURED.value, "captured": amount, "attempts": 0}
        case PaymentVoided():
            changes = {"status": Status.VOIDED.value, "authorised": 0, "attempts": 0}
        case AuthorisationPending(attempt=n) | CapturePending(attempt=n) | VoidPending(attempt=n):
            changes = {"attempts": n}
        case PaymentRefunded(amount=amount):
            rows.add(payments, at.stream, refunded=amount)
    if at.kind == Payment.KIND:
        rows.update(payments, at.stream, version=at.version, **changes)


def payment(payment_id: UUID) -> Detail:
    """One payment with its refunds."""
    return Detail(
        select(payments).where(payments.c.id == payment_id),
        lists={
            "refunds": select(refunds)
            .where(refunds.c.payment_id == payment_id)
            .order_by(refunds.c.position)
        },
    )


def payment_of(order_id: UUID) -> Select[Any]:
    """The payment of an order."""
    return select(payments).where(payments.c.order_id == order_id)
