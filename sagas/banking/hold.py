"""The end of a hold that nobody resolves: it expires."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.banking.hold import ExpireHold
from domain import Event
from domain.banking.account import Account
from domain.banking.hold import HoldPlaced, HoldReleased
from domain.banking.posting import AccountDebited
from sagas import Cancel, Deadline, Step, saga


@saga(process=Account, key="account_id")
def react(id: UUID, fact: Event, account: Account) -> Iterable[Step]:
    """Set a deadline for each hold of an account; forget it when the hold is resolved."""
    match fact:
        case HoldPlaced(hold_id=hold_id, lifetime_s=lifetime_s):
            yield Deadline(
                f"hold {hold_id}",
                timedelta(seconds=lifetime_s),
                ExpireHold(account_id=id, hold_id=hold_id),
            )
        case HoldReleased(hold_id=hold_id) | AccountDebited(hold_id=UUID() as hold_id):
            yield Cancel(f"hold {hold_id}")
