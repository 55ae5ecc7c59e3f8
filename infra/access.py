"""Who may act now: suspensions, roles, ended sessions and services, in memory, as the log has it.

Asked for every request, so no request waits for a database. It begins with the read models and
follows the log from there: what another process decides counts here after its wake-up.
"""

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Clock
from domain import Event
from domain.identity.service import ServiceTokenIssued, ServiceTokenRevoked
from domain.identity.session import SessionEnded
from domain.identity.user import (
    RoleGranted,
    RoleRevoked,
    User,
    UserReactivated,
    UserRegistered,
    UserSuspended,
)
from infra.aside.dropped import first_dropped
from infra.aside.parking import figures
from infra.bell import Bell
from infra.database import Database
from infra.log.tail import Tail
from infra.moves import positions_of
from projections.identity.service import service_tokens
from projections.identity.session import sessions
from projections.identity.user import roles, users

USERS = User.KIND.partition(".")[0]
"""The context that has them."""
BATCH = 1_000
FRESH_S = 2.0
"""How old what is known may be without being looked at: longer than a poll of the log takes."""
AGAIN_S = 0.05
"""How soon the log is looked at again for a token that is not known: guesses are no load."""
RETRY_S = 0.2
OF = (users, sessions, service_tokens)
READ_FROM = tuple(str(table.info["projection"]).partition(".")[2] for table in OF)
"""The projections that are begun with."""

log = structlog.get_logger("aorist.access")


class Access:
    """What is known of users and sessions: as much as there are roles and suspended users."""

    def __init__(
        self,
        database: Database,
        tail: Tail,
        bell: Bell,
        clock: Clock,
        lifetime: timedelta,
        fits: bool,
    ) -> None:
        self._database = database
        self._tail = tail
        self._bell = bell
        self._clock = clock
        self._lifetime = lifetime
        """Of access tokens: a session that ended longer ago has none that is good."""
        self._fits = fits
        """Whether the read models are this program's; else the whole log is gone through."""
        self._suspended: set[UUID] = set()
        self._roles: dict[UUID, frozenset[str]] = {}
        self.services: set[UUID] = set()
        """Tokens of services that were issued and not revoked; some may have run out."""
        self._ended: dict[UUID, float] = {}
        """Sessions whose access tokens may not have run out, by when that was."""
        self._position: int | None = None
        self._looked = 0.0
        self._heard = 0
        self._turn = asyncio.Lock()

    async def roles_of(self, user: UUID, session: UUID) -> frozenset[str] | None:
        """Return the roles of who acts in a session; None for one who may not act at all.

        Raises `Unavailable` when it is not known and the store is away.
        """
        await self._fresh()
        if user in self._suspended or session in self._ended:
            return None
        return self._roles.get(user, frozenset())

    async def has_service(self, token: UUID) -> bool:
        """Tell whether a service's token was issued and not revoked. Raises `Unavailable`."""
        await self._fresh()
        if token not in self.services and time.monotonic() - self._looked > AGAIN_S:
            await self.look()  # another process may have issued it just now
        return token in self.services

    async def _fresh(self) -> None:
        if self._bell.rings != self._heard or time.monotonic() - self._looked > FRESH_S:
            await self.look()

    async def look(self) -> bool:
        """Take in what came since; tell whether anything did."""
        async with self._turn:
            heard, looking = self._bell.rings, time.monotonic()
            position = await self._begin() if self._position is None else self._position
            before = position
            while facts := await self._tail.read(position, BATCH):
                for fact, at in facts:
                    self._see(at.stream, fact)
                    position = at.position
                self._position = position
            self._position = position
            self._heard, self._looked = heard, looking
            return position > before

    async def run(self, poll_s: float) -> None:
        """Follow until cancelled."""
        while True:
            heard = self._bell.rings
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - tried again; meanwhile requests try too
                log.error("access is not followed", error=f"{type(error).__name__}: {error}")
                await self._bell.wait(RETRY_S)
                continue
            self._forget()
            await self._bell.wait(poll_s, heard)

    async def _begin(self) -> int:
        """Take up what the read models say; return the position that they are sure to have."""
        if not self._fits:
            return 0
        before = await figures(self._database, USERS)
        async with self._database.read() as connection:
            places = positions_of(USERS)
            found = await connection.execute(select(places).where(places.c.name.in_(READ_FROM)))
            # What one of them has seen is seen again: that changes nothing by the end.
            passed: dict[str, int] = {row.name: row.position for row in found}
            await self._load(connection)
        # What is parked is behind the position, and in no row; it may just have been, too.
        both = before, await figures(self._database, USERS)
        first = [parked[name].first - 1 for parked in both for name in READ_FROM if name in parked]
        async with self._database.read() as connection:
            # After that: what was parked before and is not now was retried, or is found here.
            dropped = await first_dropped(connection, USERS, READ_FROM)
        first += [dropped - 1] if dropped else []
        return min([*(passed.get(name, 0) for name in READ_FROM), *first])

    async def _load(self, connection: AsyncConnection) -> None:
        suspended = await connection.execute(select(users.c.id).where(users.c.suspended))
        self._suspended = set(suspended.scalars())
        for user, role in await connection.execute(select(roles.c.user_id, roles.c.role)):
            self._roles[user] = self._roles.get(user, frozenset()) | {role}
        now, revoked = self._clock.now(), service_tokens.c.revoked_at
        good = select(service_tokens.c.id).where(service_tokens.c.until > now, revoked.is_(None))
        self.services = set((await connection.execute(good)).scalars())
        since = now - self._lifetime
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
            case ServiceTokenIssued():
                self.services.add(stream)
            case ServiceTokenRevoked():
                self.services.discard(stream)

    def _until(self) -> float:
        return (self._clock.now() + self._lifetime).timestamp()

    def _forget(self) -> None:
        """Forget sessions whose last token has run out; they are in the order of that."""
        now = self._clock.now().timestamp()
        for session in list(self._ended):
            if self._ended[session] > now:
                break
            del self._ended[session]
