"""Logins: a password becomes tokens, a refresh token the next ones, a token a caller."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

import msgspec
from pydantic import SecretStr

from commands import Caller, Clock
from commands.identity.appointment import AppointFirstOperator
from commands.identity.letter import AskForReset
from commands.identity.password import ChangePassword
from commands.identity.session import EndSession, LogIn, RefreshSession, claim_of
from domain import Forbidden, Refused
from domain.identity.appointment import APPOINTMENT, Appointment
from domain.identity.claim import Claim
from domain.identity.session import Session, SessionOver
from infra.access import Access
from infra.clock import SystemIds
from infra.counting import shared_counters
from infra.dispatch import ContextLog, Dispatcher
from infra.keys import Keys
from infra.machines import PREFIX, ROLE, Machines
from infra.reads import Reads
from infra.redis import Link
from infra.refusals import Refusals
from infra.settings import Settings
from infra.throttle import Left, Throttle
from infra.tokens import BadToken, Tokens

FIRST = 1
"""The number of a session's first refresh token."""
CODE_BYTES = 24
ANSWERS_AFTER_S = 0.25
"""What asking for a letter takes, whoever is named: longer than to look and to append."""


class WrongCode(Forbidden, code="wrong_code"):
    """The first operator's code is another one."""


class Who(NamedTuple):
    """Who calls with a token."""

    actor: str
    roles: frozenset[str]
    session: UUID | None = None
    """The login that an access token is of."""
    scopes: frozenset[str] | None = None
    """The operations that a service's token is good for; None for a user, who has no such bound."""


class Granted(NamedTuple):
    """What somebody gets who has logged in, or refreshed a login."""

    user: UUID
    session: UUID
    access: str
    refresh: str
    lifetime_s: int
    """Of the access token."""
    left: Left | None = None
    """Of the tries to log in."""


class Logins:
    """Begins, continues and ends logins, and tells who calls."""

    def __init__(
        self,
        settings: Settings,
        dispatcher: Dispatcher,
        log: ContextLog,
        access: Callable[[timedelta], Access],
        reads: Reads,
        clock: Clock,
        link: Link | None,
    ) -> None:
        lifetime = timedelta(seconds=settings.access_token_s)
        self.access = access(lifetime)
        self.machines = Machines(dispatcher, log.streams, self.access, clock)
        self.throttle = Throttle(
            settings.login_tries,
            partial(shared_counters, link=link, prefix=settings.redis_prefix),
        )
        self.code = secrets.token_urlsafe(CODE_BYTES)
        """With this the first operator is appointed; good in this process, and once."""
        self._dispatcher = dispatcher
        self.reads = reads
        """Who has read facts and the audit trail."""
        self.refusals = Refusals(log.group, SystemIds(), clock)
        self._streams = log.streams
        self._tokens = Tokens(Keys(settings.keys_folder, clock), clock, lifetime)
        self._clock = clock

    async def log_in(self, login: str, password: SecretStr, by: Caller) -> Granted:
        """Begin a session. Raises `WrongCredentials`, `TooManyTries`, or `UserIsSuspended`."""
        left = await self.throttle.try_login(login, by.address)
        by = await self._for_whom("login", login, by)
        # Never by a key of the caller's: its receipt would let in who knows the key alone.
        done = await self._dispatcher.dispatch(LogIn(login=login, password=password), by)
        await self.throttle.logged_in(login, by.address)
        return (await self._granted(done.receipt.stream, FIRST))._replace(left=left)

    async def forgotten(self, login: str, by: Caller) -> None:
        """Have a letter sent by which a user gets in again, if there is one. Raises `TooManyTries`.

        Who asks learns nothing of users: neither from the answer nor from how long it takes.
        """
        rests = asyncio.create_task(asyncio.sleep(ANSWERS_AFTER_S))
        try:
            await self.throttle.try_login(f"letter to {login}", by.address)
            by = await self._for_whom("letter", login, by)
            with suppress(Refused):  # it is in the trail
                await self._dispatcher.dispatch(AskForReset(login=login), by)
            await rests
        finally:
            rests.cancel()

    async def _for_whom(self, what: str, login: str, by: Caller) -> Caller:
        """Who tries is not known to be the user; for whom it is tried, the trail says so."""
        claim = (await self._streams.get(Claim, claim_of(login))).state
        if isinstance(claim, Claim) and claim.user_id:
            return msgspec.structs.replace(by, reason=f"{what} of {claim.user_id}")
        return by

    async def refresh(self, token: str, by: Caller) -> Granted:
        """Use a refresh token up for the next one; used twice, it ends the session.

        Raises `BadToken`, `SessionOver`, or `UserIsSuspended`.
        """
        left = await self.throttle.try_by_address("refresh", by.address)
        shown = self._tokens.read_refresh(token)
        command = RefreshSession(session_id=shown.session, generation=shown.generation)
        by = msgspec.structs.replace(by, actor=str(shown.user))
        await self._dispatcher.dispatch(command, by)
        granted = await self._granted(shown.session, shown.generation + 1)
        return granted._replace(left=left)

    async def log_out(self, session: UUID, by: Caller) -> None:
        """End a session; its tokens are no good any more."""
        await self._dispatcher.dispatch(EndSession(session_id=session), by)

    async def change_password(self, command: ChangePassword, by: Caller) -> Left:
        """Give a user another password. Raises `WrongPassword`, or `TooManyTries`.

        Whoever has got hold of a login must not find out the password by it.
        """
        account = f"password of {command.user_id}"
        left = await self.throttle.try_login(account, by.address)
        await self._dispatcher.dispatch(command, by)
        await self.throttle.logged_in(account, by.address)
        return left

    async def who(self, token: str) -> Who:
        """Return who shows an access token, or a service's.

        Raises `BadToken`, also for a user who may not act any more, or a login that has ended.
        """
        if token.startswith(PREFIX):
            service = await self.machines.who(token)
            return Who(service.actor, ROLE, scopes=service.scopes)
        shown = self._tokens.read_access(token)
        roles = await self.access.roles_of(shown.user, shown.session)
        if roles is None:
            raise BadToken("this login has ended, or the user is suspended; log in again")
        return Who(str(shown.user), roles, shown.session)

    def signed_for(self, token: str) -> UUID:
        """Return whom an access token was given to, who may act no more. Raises `BadToken`."""
        return self._tokens.read_access(token).user

    async def appointed(self) -> bool:
        """Tell whether there is a first operator."""
        known = (await self._streams.get(Appointment, APPOINTMENT)).state
        return known != Appointment()

    async def appoint(self, code: str, command: AppointFirstOperator, by: Caller) -> UUID:
        """Make the first operator; return who that is.

        Raises `WrongCode`, `AlreadyAppointed`, or `TooManyTries`.
        """
        await self.throttle.try_by_address("appointment", by.address)
        if not secrets.compare_digest(code.encode(), self.code.encode()):
            raise WrongCode("that is not the code that this server printed when it started")
        return (await self._dispatcher.dispatch(command, by)).receipt.stream

    async def _granted(self, id: UUID, generation: int) -> Granted:
        session = (await self._streams.get(Session, id)).state
        assert isinstance(session, Session)  # noqa: S101 - it was asked for as such
        user = session.require_open(self._clock.now())
        if session.generation != generation or session.until is None:
            raise SessionOver("the session has gone on elsewhere; log in again")
        return Granted(
            user=user,
            session=id,
            access=self._tokens.access(user, id),
            refresh=self._tokens.refresh(user, id, generation, session.until),
            lifetime_s=int(self._tokens.lifetime.total_seconds()),
        )
