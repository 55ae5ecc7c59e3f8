"""Sessions: begun by a login, kept alive by refresh tokens of which each is good for one use."""

from datetime import datetime
from uuid import UUID

from domain import Event, Refused, State, Unproven

REUSED, LOGGED_OUT = "reused", "logged out"
# pragma: allowlist nextline secret
CROWDED_OUT, PASSWORD_CHANGED = "crowded out", "password changed"
"""Why sessions end."""


class SessionStarted(Event, frozen=True):
    """A user logged in."""

    TOPIC = "identity.session.started"
    user_id: UUID
    until: datetime
    """When it ends by itself, however often it is refreshed."""


class SessionRefreshed(Event, frozen=True):
    """The session's refresh token was used; the next one has this number."""

    TOPIC = "identity.session.refreshed"
    user_id: UUID
    generation: int


class SessionEnded(Event, frozen=True):
    """None of the session's tokens are good any more."""

    TOPIC = "identity.session.ended"
    user_id: UUID
    reason: str


class SessionExists(Refused, code="session_exists"):
    """Another login has this id."""


class SessionNotFound(Unproven, code="session_not_found"):
    """Nobody logged in under this id."""


class SessionOver(Unproven, code="session_over"):
    """The session has ended; log in again."""


class Session(State, frozen=True):
    """One login and what followed of it: a family of refresh tokens, numbered from 1 on."""

    KIND = "identity.session"
    user_id: UUID | None = None
    until: datetime | None = None
    generation: int = 0
    """The number of the one refresh token that is good."""
    ended: str = ""
    """Why; empty while it goes on."""

    def start(self, user_id: UUID, until: datetime) -> list[Event]:
        """Begin. Raises `SessionExists`."""
        if self.user_id is not None:
            raise SessionExists("another login has this id; choose a new one")
        return [SessionStarted(user_id=user_id, until=until)]

    def refresh(self, generation: int, now: datetime) -> list[Event]:
        """Use the refresh token of a number.

        One that was used before is a stolen one, or the thief's came first: the session ends for
        both (RFC 9700, 4.14.2). Raises `SessionOver` or `SessionNotFound`.
        """
        user = self.require_open(now)
        if generation != self.generation:
            return [SessionEnded(user_id=user, reason=REUSED)]
        return [SessionRefreshed(user_id=user, generation=generation + 1)]

    def end(self, reason: str) -> list[Event]:
        """End it once."""
        if self.user_id is None or self.ended:
            return []
        return [SessionEnded(user_id=self.user_id, reason=reason)]

    def require_open(self, now: datetime) -> UUID:
        """Return whose it is. Raises `SessionOver` or `SessionNotFound`."""
        if self.user_id is None or self.until is None:
            raise SessionNotFound("there is no such session; log in")
        if self.ended or now >= self.until:
            raise SessionOver("the session has ended; log in again")
        return self.user_id

    def evolve(self, event: Event) -> "Session":
        """Take a fact in."""
        match event:
            case SessionStarted(user_id=user, until=until):
                return Session(user_id=user, until=until, generation=1)
            case SessionRefreshed(generation=generation):
                return self.replace(generation=generation)
            case SessionEnded(reason=reason):
                return self.replace(ended=reason)
        return self
