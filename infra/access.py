"""Who may act now: suspensions, roles and ended sessions, in memory, as the log has them.

Asked for every request, so no request waits for a database. It begins with the read models and
follows the log from there: what another process decides counts here after its wake-up.
"""

import time
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Clock
from domain import Event
from domain.identity.session import SessionEnded
from domain.identity.user import (
    RoleGranted,
    RoleRevoked,
    User,
    UserReactivated,
    UserRegistered,
    UserSuspended,
)
from infra.bell import Bell
from infra.database import Database
from infra.log.port import Unavailable
from infra.log.tail import Tail
from infra.moves import positions_of
from projections.identity.session import sessions
from projections.identity.user import roles, users

CONTEXT = User.KIND.partition(".")[0]
BATCH = 1_000
MAX_STALE_S = 5.0
"""How old what is known may be: who cannot be asked about is not let in."""
RETRY_S = 0.2

log = structlog.get_logger("aorist.access")


class Access:
    """What is known of users and sessions."""

    def __init__(
        self, database: Database, tail: Tail, bell: Bell, clock: Clock, lifetime: timedelta
    ) -> None:
        self._database = database
        self._tail = tail
        self._bell = bell
        self._clock = clock
        self._lifetime = lifetime
        """Of access tokens: a session that ended longer ago has none that is good."""
        self._suspended: set[UUID] = set()
        self._roles: dict[UUID, frozenset[str]] = {}
        self._ended: dict[UUID, float] = {}
        """Sessions whose access tokens may not have run out, by when that was."""
        self._position = 0
        self._looked = 0.0

    def roles_of(self, user: UUID, session: UUID) -> frozenset[str] | None:
        """Return the roles of who acts in a session; None for one who may not act at all.

        Raises `Unavailable` when what is known is too old.
        """
        if time.monotonic() - self._looked > MAX_STALE_S:
            raise Unavailable("it is not known here at the moment who may do what; try again soon")
        if user in self._suspended or session in self._ended:
            return None
        return self._roles.get(user, frozenset())

    async def begin(self) -> None:
        """Take up what the read models say, and what came after them."""
        async with self._database.read() as connection:
            await self._load(connection)
        while await self.step():
            pass

    async def step(self) -> int:
        """Take in what came since; returns how many facts."""
        facts = await self._tail.read(self._position, BATCH)
        for fact, at in facts:
            self._see(at.stream, fact)
            self._position = at.position
        self._looked = time.monotonic()
        return len(facts)

    async def run(self, poll_s: float) -> None:
        """Follow until cancelled."""
        while True:
            heard = self._bell.rings
            try:
                seen = await self.step()
            except Exception as error:  # noqa: BLE001 - tried again; meanwhile nobody is let in
                log.error("access is not followed", error=f"{type(error).__name__}: {error}")
                await self._bell.wait(RETRY_S)
                continue
            self._forget()
            if not seen:
                await self._bell.wait(poll_s, heard)

    async def _load(self, connection: AsyncConnection) -> None:
        places = positions_of(CONTEXT)
        names = [table.info["projection"].partition(".")[2] for table in (users, sessions)]
        found = await connection.execute(select(places).where(places.c.name.in_(names)))
        passed = [row.position for row in found]
        # What the further one has seen is seen again: that changes nothing by the end.
        self._position = min(passed) if len(passed) == len(names) else 0
        suspended = await connection.execute(select(users.c.id).where(users.c.suspended))
        self._suspended = set(suspended.scalars())
        for user, role in await connection.execute(select(roles.c.user_id, roles.c.role)):
            self._roles[user] = self._roles.get(user, frozenset()) | {role}
        since = self._clock.now() - self._lifetime
        ended = select(sessions.c.id).where(sessions.c.ended_at > since)
        for session in (await connection.execute(ended)).scalars():
            self._ended[session] = self._until()

    def _see(self, stream: UUID, fact: Event) -> None:
        match fact:
            case UserRegistered() | UserReactivated():
                self._suspended.discard(stream)
            case UserSuspended():
                self._suspended.add(stream)
            case RoleGranted(role=role):
                self._roles[stream] = self._roles.get(stream, frozenset()) | {role}
            case RoleRevoked(role=role):
                self._roles[stream] = self._roles.get(stream, frozenset()) - {role}
                if not self._roles[stream]:
                    del self._roles[stream]
            case SessionEnded():
                self._ended[stream] = self._until()

    def _until(self) -> float:
        return (self._clock.now() + self._lifetime).timestamp()

    def _forget(self) -> None:
        """Forget sessions whose last token has run out; they are in the order of that."""
        now = self._clock.now().timestamp()
        for session in list(self._ended):
            if self._ended[session] > now:
                break
            del self._ended[session]
