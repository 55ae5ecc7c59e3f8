"""A user's logins: which sessions of theirs go on, so that all can be ended at once."""

from uuid import UUID, uuid5

from domain import Event, State

LOGINS = UUID("7d0b0c64-7f4f-4c53-8a0e-0f4a6f5f2b11")
"""Namespace of the logins' stream ids."""
MAX_OPEN = 20
"""Sessions that a user has at once; the next login ends the oldest."""


class SessionOpened(Event, frozen=True):
    """A session of the user's goes on."""

    TOPIC = "identity.logins.opened"
    user_id: UUID
    session_id: UUID


class SessionClosed(Event, frozen=True):
    """It does no longer."""

    TOPIC = "identity.logins.closed"
    user_id: UUID
    session_id: UUID


class Logins(State, frozen=True):
    """The sessions of one user, the oldest first; those that have run out until crowded out."""

    KIND = "identity.logins"
    user_id: UUID | None = None
    open: tuple[UUID, ...] = ()

    @property
    def crowded_out(self) -> tuple[UUID, ...]:
        """Which sessions have to end before another one begins."""
        return self.open[: max(0, len(self.open) - MAX_OPEN + 1)]

    def others(self, kept: UUID | None) -> tuple[UUID, ...]:
        """Which sessions there are besides one that is kept."""
        return tuple(one for one in self.open if one != kept)

    def opened(self, user_id: UUID, session_id: UUID) -> list[Event]:
        """Take note of a session."""
        if session_id in self.open:
            return []
        return [SessionOpened(user_id=user_id, session_id=session_id)]

    def closed(self, *session_ids: UUID) -> list[Event]:
        """Take note that sessions ended."""
        if self.user_id is None:
            return []
        return [
            SessionClosed(user_id=self.user_id, session_id=one)
            for one in session_ids
            if one in self.open
        ]

    def evolve(self, event: Event) -> "Logins":
        """Take a fact in."""
        match event:
            case SessionOpened(user_id=user, session_id=session):
                return Logins(user_id=user, open=(*self.open, session))
            case SessionClosed(session_id=session):
                return self.replace(open=self.others(session))
        return self


def logins_id(user_id: UUID) -> UUID:
    """Return the stream of a user's logins."""
    return uuid5(LOGINS, str(user_id))
