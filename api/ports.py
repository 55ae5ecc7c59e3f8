"""The three things a route may ask for: dispatch, read, caller."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request

from api.permissions import Allowed, declared
from commands import Caller
from domain import PROCESS, Forbidden, NotFound, is_process
from infra.dispatch import MAX_KEY, Answer, Meta
from infra.logins import Logins
from infra.system import System
from projections import Detail, Listing, One, not_kept

BASE = "/api/v1"
ACTOR, ROLES, REASON = "Aorist-Actor", "Aorist-Roles", "Aorist-Reason"
"""Who calls, in development only: `Aorist-Actor: <user id or name>`, `Aorist-Roles: operator`."""
AFTER = "Aorist-After"
AS_OF = "as_of"
"""A time or a position, in the query string of what can be asked about the past."""
MAX_AS_OF = 40
KEY, IF_MATCH = "Idempotency-Key", "If-Match"
TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
STRANGER = "stranger"
"""The actor of whoever logs in, before that is done."""
MAX_REASON = 1_000
MAX_AGENT = 300
MAX_ACTOR = 200


class Unauthenticated(Exception):
    """Nobody says who is calling."""


class OutOfScope(Forbidden, code="out_of_scope"):
    """A service's token is good for other operations than this one."""


class BadHeader(Exception):
    """A header's value cannot be used; the message names both."""


def system_of(request: Request) -> System:
    """Return the running system."""
    system: System = request.app.state.system
    return system


def logins_of(request: Request) -> Logins:
    """Return what knows who calls, for a route of the users."""
    logins = system_of(request).logins
    assert logins is not None  # noqa: S101 - these routes are there where the users are
    return logins


async def authenticate(request: Request) -> Caller:
    """Return who is calling: who the access token says, while that user and login may act.

    In development a header may name anybody. Raises `Unauthenticated`, `BadToken`, or `BadHeader`
    for a value that cannot name anybody.
    """
    headers = request.state.headers
    shown = headers.get("authorization")
    if shown is not None:
        actor, roles = await _by_token(request, shown)
    elif system_of(request).settings.development:
        actor, roles = _by_name(headers)
        request.state.actor, request.state.roles = actor, roles
    else:
        raise Unauthenticated(
            f"log in at {BASE}/login, and show the access token: Authorization: Bearer <token>"
        )
    return Caller(actor=actor, roles=roles, **circumstances(request))


def stranger(request: Request) -> Caller:
    """Return somebody who has not said who they are, and need not."""
    return Caller(actor=STRANGER, **circumstances(request))


async def _by_token(request: Request, shown: str) -> tuple[str, frozenset[str]]:
    kind, _, token = shown.strip().partition(" ")
    if kind.lower() != "bearer":
        raise Unauthenticated("the header Authorization must be: Bearer <access token>")
    logins = system_of(request).logins
    if logins is None:
        raise Unauthenticated("there are no users here, so there is no token that is good")
    who = await logins.who(token.strip())
    request.state.session = who.session
    request.state.actor, request.state.roles = who.actor, who.roles
    if who.scopes is not None and request.scope["route"].operation_id not in who.scopes:
        raise OutOfScope(
            f"the token of {who.actor} is not good for {request.scope['route'].operation_id}, "
            f"but for {', '.join(sorted(who.scopes))}"
        )
    return who.actor, who.roles


def _by_name(headers: Mapping[str, str]) -> tuple[str, frozenset[str]]:
    actor = headers.get(ACTOR.lower(), "").strip()
    if not actor:
        raise Unauthenticated(
            f"say who you are: add the header {ACTOR}: <user id or name>, or log in"
        )
    if len(actor) > MAX_ACTOR or not actor.isprintable() or is_process(actor):
        raise BadHeader(
            f"{ACTOR} must be 1 to {MAX_ACTOR} printable characters and not begin with {PROCESS!r}"
        )
    roles = (role.strip() for role in headers.get(ROLES.lower(), "").split(","))
    return actor, frozenset(role for role in roles if role)


def circumstances(request: Request) -> dict[str, Any]:
    """Return from where and why somebody calls."""
    headers = request.state.headers
    return {
        "address": request.client.host if request.client else None,
        "agent": (headers.get("user-agent") or "")[:MAX_AGENT] or None,
        "reason": (headers.get(REASON.lower()) or "")[:MAX_REASON] or None,
    }


async def admitted(request: Request, allowed: Allowed) -> Caller:
    """Return who is calling, as a route takes them. Raises as `authenticate`, or `NotAllowed`."""
    headers = request.state.headers
    named = system_of(request).settings.development and ACTOR.lower() in headers
    if allowed.strangers and not named:
        return stranger(request)  # whatever token is shown, which may have run out
    by = await authenticate(request)
    # In development a header may name somebody, and no roles: they act for all.
    unbound = "authorization" not in headers and ROLES.lower() not in headers
    return allowed.admit(by, unbound=unbound)


async def caller(request: Request) -> Caller:
    """Return who is calling, for the route that the request came to; each one asks."""
    allowed = declared(request.scope["route"])
    if allowed is None:
        raise LookupError("a route says not who may call it, and nobody may")
    return await admitted(request, allowed)


# FastAPI runs what is no coroutine function in a thread, which costs more than all that it does.
Authenticated = Annotated[Caller, Depends(caller)]


class Dispatcher:
    """Sends the route's command, with what the request's headers say about it."""

    def __init__(self, request: Request, by: Caller) -> None:
        self._request = request
        self._by = by

    async def __call__(self, command: object) -> Answer:
        """Run the command and return its receipt."""
        headers = self._request.state.headers
        logins = system_of(self._request).logins
        if self._by.actor == STRANGER and logins:
            await logins.throttle.try_by_address("command", self._by.address)
        meta = Meta(
            # Strangers have no keys: they would share them.
            key=None if self._by.actor == STRANGER else _key(headers.get(KEY.lower())),
            expected=_version(headers.get(IF_MATCH.lower())),
            correlation_id=self._request.state.correlation_id,
            traceparent=_trace(headers.get("traceparent", "")),
        )
        return await system_of(self._request).dispatch(command, self._by, meta)


class Reader:
    """Runs query functions' answers for the caller, at the position the request asks for.

    `Aorist-After` waits for a position; `as_of` in the query string goes back to one.
    """

    def __init__(self, request: Request, by: Caller) -> None:
        self._queries = system_of(request).queries
        self._after = _positions(request.state.headers.get(AFTER.lower()))
        known = system_of(request).features.contexts
        for context in self._after:
            if context not in known:
                raise BadHeader(f"{AFTER}: no context is called {context!r}")
        self._as_of = request.query_params.get(AS_OF)
        self._limit = system_of(request).settings.page_limit
        self.by = by
        self.viewer: UUID | None = by.user

    async def owner(self, query: One) -> Any:
        """Return what the row's column `owner` says; None when there is no row."""
        try:
            return (await self._queries.one(not_kept(query), self._after))["owner"]
        except NotFound:
            return None

    async def one(self, query: One) -> dict[str, Any]:
        """Return the one row; raises `NotFound`."""
        return await self._queries.one(query, self._after, self._as_of)

    async def detail(self, query: Detail) -> dict[str, Any]:
        """Return the one row with its lists; raises `NotFound`."""
        return await self._queries.detail(query, self._after, self._as_of)

    async def page(self, query: Listing, paging: "Paging") -> dict[str, Any]:
        """Return `{"items": …, "next": …}`."""
        limit = min(paging.limit, self._limit)
        items, following = await self._queries.page(
            query, limit, paging.cursor, self._after, self._as_of
        )
        return {"items": items, "next": following}


@dataclass(frozen=True, slots=True)
class Paging:
    """The query parameters of a list."""

    limit: int
    cursor: str | None


async def _reader(request: Request, by: Authenticated) -> Reader:
    return Reader(request, by)


async def _paging(
    limit: Annotated[
        int, Query(ge=1, le=1000, description="most items; the server may give fewer")
    ] = 50,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next` of the page before")
    ] = None,
) -> Paging:
    return Paging(limit, cursor)


Read = Annotated[Reader, Depends(_reader)]
Page = Annotated[Paging, Depends(_paging)]


def _trace(value: str) -> str | None:
    """A malformed one is ignored, as W3C Trace Context 3.2.2 wants it."""
    return value if TRACEPARENT.fullmatch(value) else None


def _key(value: str | None) -> str | None:
    if value is None:
        return None
    key = value.strip().strip('"')
    if not key or len(key) > MAX_KEY or not key.isprintable():
        raise BadHeader(f"{KEY} must be 1 to {MAX_KEY} printable characters")
    return key


def _version(value: str | None) -> int | None:
    if value is None or value.strip() == "*":
        return None
    version = value.strip().removeprefix("W/").strip('"')
    if not version.isascii() or not version.isdigit() or len(version) > 18:
        raise BadHeader(f'{IF_MATCH} must be an ETag such as "3", not {value!r}')
    return int(version)


def _positions(value: str | None) -> Mapping[str, int]:
    """Parse `banking=1234, commerce=7`."""
    positions = {}
    for part in (value or "").split(","):
        if not part.strip():
            continue
        context, equals, number = part.strip().partition("=")
        if not equals or not number.isascii() or not number.isdigit() or len(number) > 18:
            raise BadHeader(f"{AFTER} must be like banking=1234, not {value!r}")
        positions[context.strip()] = int(number)
    return positions
