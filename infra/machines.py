"""Services as callers: programs that show a token which an operator had issued.

A token is shown once, when it is issued; its hash is in the log. Which ones are good is known from
memory, so that a guess costs no query.
"""

import secrets
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from pydantic import SecretStr

from commands import Caller, Clock
from commands.identity.service import IssueServiceToken, RevokeServiceToken
from domain import Refused
from domain.identity.service import ServiceToken, ServiceTokenIssued, ServiceTokenRevoked
from infra.access import Access
from infra.dispatch import Dispatcher
from infra.log.codec import Codec
from infra.log.port import Store
from infra.streams import Streams
from infra.tokens import BadToken

PREFIX = "aorist_"
"""What every token begins with, so that it is told from a login's, and found where it leaked."""
SECRET_BYTES = 32
ACTOR = "service:"
"""What the actor of a service begins with, before its name."""
ROLE = frozenset({"service"})
PAGE = 1_000
MAX_GOOD = 1_000
"""Tokens that are good at once; each process has their ids in memory."""


class TooManyTokens(Refused, code="too_many_tokens"):
    """There are as many tokens as there may be; revoke some."""


class Issued(NamedTuple):
    """A token, which nobody is shown again."""

    id: UUID
    token: str
    until: datetime


class Service(NamedTuple):
    """Who calls with a token, and which operations that is good for."""

    actor: str
    scopes: frozenset[str]


class Machines:
    """Issues tokens to services, and tells which service calls."""

    def __init__(
        self, dispatcher: Dispatcher, streams: Streams, access: Access, clock: Clock
    ) -> None:
        self._dispatcher = dispatcher
        self._streams = streams
        self._access = access
        self._clock = clock

    async def issue(self, name: str, scopes: tuple[str, ...], days: int, by: Caller) -> Issued:
        """Have a token issued. Raises `TooManyTokens`."""
        await self._access.look()
        if len(self._access.services) >= MAX_GOOD:
            raise TooManyTokens(f"there are {MAX_GOOD} tokens of services; revoke one of them")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        # Never by a key of the caller's: its answer could not be given again.
        command = IssueServiceToken(
            name=name, scopes=scopes, days=days, hash=SecretStr(_digest(secret))
        )
        id = (await self._dispatcher.dispatch(command, by)).receipt.stream
        until = (await self._token(id)).until
        assert until is not None  # noqa: S101 - it was issued just now
        return Issued(id, f"{PREFIX}{id.hex}.{secret}", until)

    async def revoke(self, id: UUID, reason: str, by: Caller) -> None:
        """Let a token be good no longer. Raises `ServiceTokenNotFound`."""
        await self._dispatcher.dispatch(RevokeServiceToken(token_id=id, reason=reason), by)

    async def who(self, token: str) -> Service:
        """Return which service shows a token. Raises `BadToken`, also for one that was revoked."""
        id, _, secret = token.removeprefix(PREFIX).partition(".")
        try:
            named = UUID(hex=id)
        except ValueError as error:
            raise BadToken("that is no token of a service") from error
        if await self._access.has_service(named):
            known = await self._token(named)
            if known.is_good(_digest(secret), self._clock.now()):
                return Service(ACTOR + known.name, frozenset(known.scopes))
        raise BadToken("this token of a service was never issued, was revoked, or has run out")

    async def _token(self, id: UUID) -> ServiceToken:
        state = (await self._streams.get(ServiceToken, id)).state
        assert isinstance(state, ServiceToken)  # noqa: S101 - it was asked for as such
        return state


class Listed(NamedTuple):
    """What is known of a token."""

    id: UUID
    issued_by: str
    token: ServiceToken
    reason: str = ""
    """Why it was revoked."""


async def tokens_of_services(store: Store, codec: Codec) -> list[Listed]:
    """Return all tokens from the log, the oldest first; those that are good no longer too."""
    found: dict[UUID, Listed] = {}
    position = 0
    topics = [ServiceTokenIssued.TOPIC, ServiceTokenRevoked.TOPIC]
    while recorded := await store.read(position, PAGE, topics=topics):
        for one in recorded:
            fact, id, position = codec.decode(one), one.at.stream, one.at.position
            known = found.get(id) or Listed(id, one.at.actor, ServiceToken())
            reason = fact.reason if isinstance(fact, ServiceTokenRevoked) else known.reason
            found[id] = known._replace(token=known.token.evolve(fact), reason=reason)
    return list(found.values())


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
