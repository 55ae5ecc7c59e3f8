"""Holds: money of an account that is kept for one purpose, until a time."""

from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from domain import Event

MAX_HOLDS = 1_000
"""Unresolved holds of one account."""

NOWHERE = UUID("7e5d4ab3-1c0d-4d1b-93f5-3a8b0f6c2e11")
"""Namespace of the streams that keep what was refused of accounts that do not exist."""


class HoldPlaced(Event, frozen=True):
    """Money was kept: it stays in the balance and leaves what is available."""

    TOPIC = "banking.account.hold_placed"
    hold_id: UUID
    amount: int
    currency: str
    expires_at: datetime
    lifetime_s: int
    placed_by: str
    """The actor; a hold that a process placed is only a process's to use or release."""
    by_process: bool = False
    transfer_id: UUID | None = None
    """The flagged transfer that placed it for itself."""


class HoldRefused(Event, frozen=True):
    """The money could not be kept; `reason` is the code of the rule that said no."""

    TOPIC = "banking.account.hold_refused"
    hold_id: UUID
    amount: int
    currency: str
    reason: str
    transfer_id: UUID | None = None


class HoldReleased(Event, frozen=True):
    """The hold was given up; its money is available again."""

    TOPIC = "banking.account.hold_released"
    hold_id: UUID
    amount: int


class HoldExpired(Event, frozen=True):
    """The hold's time passed before anybody resolved it."""

    TOPIC = "banking.account.hold_expired"
    hold_id: UUID
    amount: int


class Hold(msgspec.Struct, frozen=True):
    """A hold that was not resolved yet."""

    amount: int
    expires_at: datetime
    by_process: bool
    transfer_id: UUID | None

    def active(self, now: datetime) -> bool:
        """Tell whether the hold counts: an expired one does not, resolved or not."""
        return now < self.expires_at

    def serves(self, transfer_id: UUID, *, by_process: bool) -> bool:
        """Tell whether a transfer may draw on it; `by_process` when a process requested it."""
        if self.transfer_id is not None:
            return self.transfer_id == transfer_id
        return by_process or not self.by_process


def nowhere(account_id: UUID) -> UUID:
    """Return the stream that a refusal goes to when there is no account of this id.

    The id itself may belong to something else, or to an account that is opened later.
    """
    return uuid5(NOWHERE, str(account_id))
