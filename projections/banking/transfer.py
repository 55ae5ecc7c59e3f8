"""Transfers: how far each is, and those of an account."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, Select, Text, or_, select

from domain import Envelope, Event
from domain.banking.approval import (
    ApprovalAwaited,
    TransferApproved,
    TransferFlagged,
    TransferRejected,
)
from domain.banking.reversal import ReversalRefused, ReversalRequested, TransferReversed
from domain.banking.transfer import (
    Status,
    Transfer,
    TransferCleared,
    TransferCompleted,
    TransferFailed,
    TransferOverdue,
    TransferRequested,
)
from projections import Changes, Listing, count, document, key, moment, money, ref, table, text
from projections.banking.account import accounts

transfers = table(
    "transfers",
    key(),
    ref("source", index=True),
    ref("target", index=True),
    money("amount"),
    text("currency"),
    Column("status", Text, nullable=False, index=True),
    text("reason", nullable=True),
    text("reference"),
    text("requested_by"),
    moment("requested_at"),
    ref("hold_id", nullable=True),
    text("severity", nullable=True),
    document("rules"),
    moment("waiting_since", nullable=True),
    text("decided_by", nullable=True),
    moment("decided_at", nullable=True),
    # When it was found to take longer than it may: somebody should look.
    moment("overdue_at", nullable=True),
    moment("ended_at", nullable=True),
    ref("reverses", nullable=True),
    ref("reversal_id", nullable=True),
    text("reversal_refused", nullable=True),
    count("position"),
    count("version"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep one row per transfer."""
    if at.kind != Transfer.KIND:
        return
    if isinstance(fact, TransferRequested):
        _insert(fact, at, rows)
    else:
        rows.update(transfers, at.stream, version=at.version, **_changes(fact, at))


def _insert(fact: TransferRequested, at: Envelope, rows: Changes) -> None:
    rows.insert(
        transfers,
        id=at.stream,
        source=fact.source,
        target=fact.target,
        amount=fact.amount,
        currency=fact.currency,
        status=Status.REQUESTED.value,
        reference=fact.reference,
        requested_by=fact.requested_by,
        requested_at=at.time,
        hold_id=fact.hold_id,
        rules=[],
        reverses=fact.reverses,
        position=at.position,
        version=at.version,
    )


def _changes(fact: Event, at: Envelope) -> dict[str, object]:
    match fact:
        case TransferCleared():
            return {"status": Status.CLEARED.value}
        case TransferFlagged(severity=severity, rules=rules):
            return {"status": Status.FLAGGED.value, "severity": severity, "rules": list(rules)}
        case ApprovalAwaited(hold_id=hold_id):
            return {
                "status": Status.WAITING.value,
                "hold_id": hold_id,
                "waiting_since": at.time,
            }
        case TransferApproved(approver=approver):
            return {
                "status": Status.CLEARED.value,
                "decided_by": approver,
                "decided_at": at.time,
            }
        case TransferRejected(approver=approver):
            return {"decided_by": approver, "decided_at": at.time}
        case TransferOverdue():
            return {"overdue_at": at.time}
        case TransferCompleted():
            return {"status": Status.COMPLETED.value, "ended_at": at.time}
        case TransferFailed(reason=reason):
            return {"status": Status.FAILED.value, "reason": reason, "ended_at": at.time}
        case ReversalRequested(reversal_id=reversal_id):
            return {"status": Status.REVERSING.value, "reversal_id": reversal_id}
        case TransferReversed():
            return {"status": Status.REVERSED.value}
        case ReversalRefused(reason=reason):
            return {"status": Status.COMPLETED.value, "reversal_refused": reason}
    return {}


def transfer(transfer_id: UUID) -> Select[Any]:
    """One transfer."""
    return select(transfers).where(transfers.c.id == transfer_id)


def transfers_of(account_id: UUID) -> Listing:
    """The transfers from and to an account, the latest first."""
    part = or_(transfers.c.source == account_id, transfers.c.target == account_id)
    return Listing(select(transfers).where(part), by=(transfers.c.position,), descending=True)


def payer_of(transfer_id: UUID) -> Select[Any]:
    """Whose the account is that a transfer goes from."""
    of = (accounts.c.id == transfers.c.source) & (transfers.c.id == transfer_id)
    return select(accounts.c.holder_id.label("owner")).join(transfers, of)
