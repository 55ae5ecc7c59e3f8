"""What is held on an account, and what could not be held."""

from uuid import UUID

from sqlalchemy import BigInteger, Column, select

from domain import Envelope, Event
from domain.banking.hold import HoldExpired, HoldPlaced, HoldRefused, HoldReleased
from domain.banking.posting import AccountDebited
from projections import Changes, Listing, count, key, moment, money, ref, table, text

holds = table(
    "holds",
    key("account_id"),
    key("hold_id"),
    money("amount"),
    text("currency"),
    ref("transfer_id", nullable=True),
    text("placed_by"),
    moment("placed_at"),
    moment("expires_at"),
    count("position"),
)
# A hold that was refused may be asked for again, so the refusal's own place is its key.
refused_holds = table(
    "refused_holds",
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    ref("account_id", index=True),
    ref("hold_id"),
    money("amount"),
    text("currency"),
    text("reason"),
    moment("refused_at"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep the unresolved holds, and the refusals."""
    match fact:
        case HoldPlaced():
            rows.insert(
                holds,
                account_id=at.stream,
                hold_id=fact.hold_id,
                amount=fact.amount,
                currency=fact.currency,
                transfer_id=fact.transfer_id,
                placed_by=fact.placed_by,
                placed_at=at.time,
                expires_at=fact.expires_at,
                position=at.position,
            )
        case HoldRefused():
            rows.insert(
                refused_holds,
                position=at.position,
                account_id=at.stream,
                hold_id=fact.hold_id,
                amount=fact.amount,
                currency=fact.currency,
                reason=fact.reason,
                refused_at=at.time,
            )
        case (
            HoldReleased(hold_id=hold_id)
            | HoldExpired(hold_id=hold_id)
            | AccountDebited(hold_id=UUID() as hold_id)
        ):
            rows.delete(holds, (at.stream, hold_id))


def holds_of(account_id: UUID) -> Listing:
    """What is held on an account, the oldest first."""
    return Listing(select(holds).where(holds.c.account_id == account_id), by=(holds.c.position,))


def refused_holds_of(account_id: UUID) -> Listing:
    """What could not be held on an account, and why; the latest first."""
    rows = select(refused_holds).where(refused_holds.c.account_id == account_id)
    return Listing(rows, by=(refused_holds.c.position,), descending=True)
