"""Approval: a flagged transfer waits, its money held, for somebody else's decision."""

from datetime import datetime
from uuid import UUID

from domain import Event, Forbidden, Refused


class TransferFlagged(Event, frozen=True):
    """The rules want a person to look at the transfer."""

    TOPIC = "banking.transfer.flagged"
    severity: str
    rules: tuple[str, ...]


class ApprovalAwaited(Event, frozen=True):
    """The transfer's money is held; somebody may decide."""

    TOPIC = "banking.transfer.approval_awaited"
    hold_id: UUID


class TransferApproved(Event, frozen=True):
    """Somebody let the transfer pass; its money must be taken before `debit_before`."""

    TOPIC = "banking.transfer.approved"
    approver: str
    debit_before: datetime


class TransferRejected(Event, frozen=True):
    """Somebody stopped the transfer."""

    TOPIC = "banking.transfer.rejected"
    approver: str
    reason: str


class SelfApproval(Forbidden, code="self_approval"):
    """Neither who requested a transfer nor whose money it moves decides on it."""


class NotWaiting(Refused, code="not_waiting"):
    """Only a transfer that waits for approval can be decided on."""


class AlreadyDecided(Refused, code="already_decided"):
    """A transfer is decided on once."""
