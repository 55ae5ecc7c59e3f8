"""Sessions, as lists of a user."""

from uuid import UUID

from sqlalchemy import select

from domain import Envelope, Event
from domain.identity.session import SessionEnded, SessionRefreshed, SessionStarted
from projections import Changes, Listing, count, key, moment, ref, table, text

sessions = table(
    "sessions",
    key(),
    ref("user_id", index=True),
    moment("started_at"),
    moment("refreshed_at"),
    moment("until"),
    moment("ended_at", nullable=True),
    text("reason", nullable=True),
    count("position"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep a row for each session."""
    match fact:
        case SessionStarted(user_id=user, until=until):
            rows.insert(
                sessions,
                id=at.stream,
                user_id=user,
                started_at=at.time,
                refreshed_at=at.time,
                until=until,
                position=at.position,
            )
        case SessionRefreshed():
            rows.update(sessions, at.stream, refreshed_at=at.time)
        case SessionEnded(reason=reason):
            rows.update(sessions, at.stream, ended_at=at.time, reason=reason)


def sessions_of(user_id: UUID) -> Listing:
    """A user's sessions, the latest first."""
    rows = select(sessions).where(sessions.c.user_id == user_id)
    return Listing(rows, by=(sessions.c.position,), descending=True)
