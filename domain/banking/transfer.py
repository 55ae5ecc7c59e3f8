"""Transfers: money from one account to another, as a process that ends one way or the other."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain import Event, State
from domain.banking.approval import (
    AlreadyDecided,
    ApprovalAwaited,
    NotWaiting,
    SelfApproval,
    TransferApproved,
    TransferFlagged,
    TransferRejected,
)
from domain.banking.refusal import TransferExists, TransferToSelf, UnknownTransfer
from domain.banking.reversal import (
    NotReversible,
    ReversalRefused,
    ReversalRequested,
    TransferReversed,
)

DEBIT_WITHIN = timedelta(hours=1)
"""How long a cleared or approved transfer may take its money; later ones are refused it."""
NOBODY = UUID(int=0)
"""The accounts of a transfer that nobody requested."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""When the money of a transfer that was never cleared had to be taken."""
REJECTED = "rejected"
APPROVAL_EXPIRED = "approval_expired"
TIMED_OUT = "timed_out"


class TransferRequested(Event, frozen=True):
    """Somebody wants money moved."""

    TOPIC = "banking.transfer.requested"
    source: UUID
    target: UUID
    amount: int
    currency: str
    requested_by: str
    hold_id: UUID | None = None
    """The hold on the source that it draws on."""
    reference: str = ""
    accounts_known: bool = True
    """Whether both accounts existed; if not, it ends before it begins."""
    reverses: UUID | None = None
    """The completed transfer whose money this one moves back."""


class TransferCleared(Event, frozen=True):
    """Nothing speaks against it; its money must be taken before `debit_before`."""

    TOPIC = "banking.transfer.cleared"
    debit_before: datetime


class TransferOverdue(Event, frozen=True):
    """The transfer should have ended by now: somebody should see what is in its way."""

    TOPIC = "banking.transfer.overdue"


class TransferCompleted(Event, frozen=True):
    """The money arrived."""

    TOPIC = "banking.transfer.completed"


class TransferFailed(Event, frozen=True):
    """No money moved, or it came back; `reason` is the code of the rule that said no."""

    TOPIC = "banking.transfer.failed"
    reason: str


class Status(StrEnum):
    """How far a transfer is."""

    NEW = "new"
    REQUESTED = "requested"
    FLAGGED = "flagged"
    WAITING = "waiting"
    CLEARED = "cleared"
    COMPLETED = "completed"
    FAILED = "failed"
    REVERSING = "reversing"
    REVERSED = "reversed"


UNDER_WAY = (Status.REQUESTED, Status.FLAGGED, Status.WAITING, Status.CLEARED)


class Transfer(State, frozen=True):
    """One transfer. What a person decides can be refused; a step of the process never is."""

    KIND = "banking.transfer"
    status: Status = Status.NEW
    source: UUID = NOBODY
    target: UUID = NOBODY
    amount: int = 0
    currency: str = ""
    requested_by: str = ""
    hold_id: UUID | None = None
    reverses: UUID | None = None
    debit_before: datetime = LONG_AGO
    flagged: bool = False
    overdue: bool = False
    approved: bool = False
    decided_by: str | None = None
    reversal_id: UUID | None = None

    @property
    def holds_itself(self) -> bool:
        """Whether its money is held by a hold of its own, not by one it was given."""
        return self.flagged and self.hold_id is None

    # What people ask for

    def request(self, asked: TransferRequested) -> list[Event]:
        """Begin. Raises `TransferToSelf`, `TransferExists`."""
        if asked.source == asked.target:
            raise TransferToSelf(f"account {asked.source} cannot pay itself; name another target")
        if self.status is not Status.NEW:
            if _terms(self) == _terms(asked):
                return []
            raise TransferExists("another transfer has this id; choose a new one")
        return [asked]

    def approve(self, approver: str, holder: str, now: datetime) -> list[Event]:
        """Let it pass. `holder` is whose money it moves.

        Raises `UnknownTransfer`, `NotWaiting`, `AlreadyDecided`, `SelfApproval`.
        """
        if self.approved and self.decided_by == approver:
            return []
        self._require_decidable(approver, holder)
        return [TransferApproved(approver=approver, debit_before=now + DEBIT_WITHIN)]

    def reject(self, approver: str, holder: str, reason: str) -> list[Event]:
        """Stop it. Raises as `approve` does."""
        if self.decided_by == approver and not self.approved:
            return []
        self._require_decidable(approver, holder)
        return [
            TransferRejected(approver=approver, reason=reason),
            TransferFailed(reason=REJECTED),
        ]

    def reverse(self, reversal_id: UUID, requested_by: str, reason: str) -> list[Event]:
        """Ask for the money back. Raises `UnknownTransfer`, `NotReversible`."""
        self.require_known()
        if self.status in (Status.REVERSING, Status.REVERSED):
            return []
        if self.status is not Status.COMPLETED or self.reverses:
            what = "a reversal" if self.reverses else self.status
            raise NotReversible(f"the transfer is {what}; only a completed one can be reversed")
        return [
            ReversalRequested(reversal_id=reversal_id, reason=reason, requested_by=requested_by)
        ]

    def request_back(self, asked: TransferRequested) -> list[Event]:
        """Begin as a reversal, which never began before. Raises `TransferExists`."""
        if self.status is not Status.NEW:
            raise TransferExists("another transfer has this id; choose a new one")
        return [asked]

    def back(self, id: UUID, requested_by: str, reason: str) -> TransferRequested:
        """Return the request that reverses this transfer, whose id is `id`."""
        return TransferRequested(
            source=self.target,
            target=self.source,
            amount=self.amount,
            currency=self.currency,
            requested_by=requested_by,
            reference=reason,
            reverses=id,
        )

    def require_known(self) -> None:
        """Raise `UnknownTransfer` unless it was requested."""
        if self.status is Status.NEW:
            raise UnknownTransfer("no transfer was requested under this id; check it")

    def _require_decidable(self, approver: str, holder: str) -> None:
        self.require_known()
        if self.decided_by is not None:
            raise AlreadyDecided(f"{self.decided_by} has decided on this transfer")
        if self.status is not Status.WAITING:
            raise NotWaiting(f"the transfer is {self.status}; it does not wait for approval")
        if approver in (self.requested_by, holder):
            raise SelfApproval(f"{approver} has a part in this transfer; somebody else must decide")

    # Steps of the process

    def clear(self, now: datetime) -> list[Event]:
        """Let it pass without anybody's decision."""
        if self.status is not Status.REQUESTED:
            return []
        return [TransferCleared(debit_before=now + DEBIT_WITHIN)]

    def flag(self, severity: str, rules: tuple[str, ...]) -> list[Event]:
        """Put it before somebody."""
        if self.status is not Status.REQUESTED:
            return []
        return [TransferFlagged(severity=severity, rules=rules)]

    def await_approval(self, hold_id: UUID) -> list[Event]:
        """Begin to wait: the money is held."""
        return [ApprovalAwaited(hold_id=hold_id)] if self.status is Status.FLAGGED else []

    def expire_approval(self) -> list[Event]:
        """Cease to wait: nobody decided in time."""
        if self.status is not Status.WAITING:
            return []
        return [TransferFailed(reason=APPROVAL_EXPIRED)]

    def time_out(self) -> list[Event]:
        """End what has not begun to move money; what has is shown as overdue."""
        if self.status in (Status.REQUESTED, Status.FLAGGED):
            return [TransferFailed(reason=TIMED_OUT)]
        if self.status is Status.CLEARED and not self.overdue:
            return [TransferOverdue()]
        return []

    def complete(self) -> list[Event]:
        """End it well."""
        return [TransferCompleted()] if self.status is Status.CLEARED else []

    def fail(self, reason: str) -> list[Event]:
        """End it with every leg undone."""
        return [TransferFailed(reason=reason)] if self.status in UNDER_WAY else []

    def complete_reversal(self, reversal_id: UUID) -> list[Event]:
        """The money is back."""
        return [TransferReversed(reversal_id=reversal_id)] if self._reverses(reversal_id) else []

    def refuse_reversal(self, reversal_id: UUID, reason: str) -> list[Event]:
        """The money stays; it may be asked for again."""
        if not self._reverses(reversal_id):
            return []
        return [ReversalRefused(reversal_id=reversal_id, reason=reason)]

    def _reverses(self, reversal_id: UUID) -> bool:
        return self.status is Status.REVERSING and self.reversal_id == reversal_id

    def evolve(self, event: Event) -> "Transfer":
        """Return the transfer after `event`."""
        match event:
            case TransferRequested():
                return self.replace(
                    status=Status.REQUESTED,
                    source=event.source,
                    target=event.target,
                    amount=event.amount,
                    currency=event.currency,
                    requested_by=event.requested_by,
                    hold_id=event.hold_id,
                    reverses=event.reverses,
                )
            case TransferCleared(debit_before=before):
                return self.replace(status=Status.CLEARED, debit_before=before)
            case TransferFlagged():
                return self.replace(status=Status.FLAGGED, flagged=True)
            case ApprovalAwaited():
                return self.replace(status=Status.WAITING)
            case TransferApproved(approver=approver, debit_before=before):
                return self.replace(
                    status=Status.CLEARED, approved=True, decided_by=approver, debit_before=before
                )
            case TransferRejected(approver=approver):
                return self.replace(decided_by=approver)
            case TransferOverdue():
                return self.replace(overdue=True)
            case TransferCompleted():
                return self.replace(status=Status.COMPLETED)
            case TransferFailed():
                return self.replace(status=Status.FAILED)
            case ReversalRequested(reversal_id=id):
                return self.replace(status=Status.REVERSING, reversal_id=id)
            case TransferReversed():
                return self.replace(status=Status.REVERSED)
            case ReversalRefused():
                return self.replace(status=Status.COMPLETED)
        return self


def _terms(transfer: Transfer | TransferRequested) -> tuple[object, ...]:
    return (
        transfer.source,
        transfer.target,
        transfer.amount,
        transfer.currency,
        transfer.requested_by,
        transfer.hold_id,
    )
