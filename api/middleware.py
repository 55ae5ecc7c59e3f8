"""Around every request: its correlation id, its bounds, its metrics, its last resort."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID, uuid5

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.bounds import again, check_head, read_body
from api.counting import UNCOUNTED, TooManyRequests, caller_of, counted
from api.hardening import EXPOSED, hardened
from api.ports import AFTER, IF_MATCH, KEY, REASON
from api.problems import problem, told
from api.sending import Commands
from api.timeouts import Timeouts
from infra.clock import SystemIds
from infra.rates import Rates
from infra.telemetry import Telemetry

CORRELATION = "x-correlation-id"
CLIENT_GONE = 499
"""The status in the metrics for a client that went away before its answer."""
MAX_CORRELATION = 200
CORRELATION_NAMES = UUID("0b6fb7a4-77c7-4a52-8e0f-6d5c3d6a4b0e")
"""Namespace for correlation ids that are no UUIDs: the same text is the same id."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Methods that the metrics tell apart; a client may invent others without end."""
SENT = ("Authorization", "Content-Type", KEY, IF_MATCH, AFTER, REASON, CORRELATION, "traceparent")
"""Headers that pages of other origins may send, where they may ask at all."""

log = structlog.get_logger("aorist.http")


def correlation_of(given: str) -> UUID:
    """Return the correlation id that a caller's text stands for: itself when it is a UUID."""
    try:
        return UUID(given)
    except ValueError:
        return uuid5(CORRELATION_NAMES, given)


class Around:
    """ASGI middleware; pure, so that streams pass through it unbuffered.

    What sends a command is answered here: it needs none of what lies between here and a route.
    """

    def __init__(
        self, app: ASGIApp, commands: Commands, rates: Rates, origins: Sequence[str] = ()
    ) -> None:
        self.rates = rates
        self._app = app
        self._commands = commands
        self._ids = SystemIds()
        self._timeouts = Timeouts()
        self._inside: ASGIApp = self._handle
        if origins:
            self._inside = CORSMiddleware(
                self._handle,
                allow_origins=origins,
                allow_methods=sorted(METHODS),
                allow_headers=SENT,
                expose_headers=EXPOSED,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        given = headers.get(CORRELATION, "").strip()[:MAX_CORRELATION]
        correlation_id = correlation_of(given) if given else self._ids.new()
        state = scope.setdefault("state", {})
        state.update(correlation_id=correlation_id, headers=headers)
        # The caller's own text comes back, so that it can be found again by it.
        named = CORRELATION.encode(), (given or str(correlation_id)).encode("latin-1")
        started, status = time.perf_counter(), 0

        async def answer(message: Message, late: bool = False) -> None:
            nonlocal status
            if deadline.passed and not late:
                return
            if message["type"] == "http.response.start":
                self._timeouts.met(deadline)
                status = message["status"]
                given = [*message.get("headers", ()), named]
                if "allowance" in state:
                    given = counted(given, state["allowance"])
                message["headers"] = hardened(scope["path"], given)
            await send(message)

        seconds = scope["app"].state.system.settings.request_s
        deadline = self._timeouts.begin(scope, seconds, answer)
        try:
            await self._inside(scope, receive, answer)
        except ClientDisconnect:
            status = status or CLIENT_GONE
        except asyncio.CancelledError:
            if not deadline.passed or not await deadline.told():
                raise
        except Exception as error:
            log.exception(
                "unexpected error",
                path=scope["path"],
                correlation_id=str(correlation_id),
                error=type(error).__name__,
            )
            if status:
                raise  # too late for an answer: the connection breaks off, and the client sees it
            detail = "something went wrong here; the server's log has it under this correlation id"
            unexpected = problem(Request(scope), 500, "unexpected", detail)
            await unexpected(scope, receive, answer)
        finally:
            self._timeouts.met(deadline)
            if deadline.passed:
                await deadline.told()
            deadline.end()
            self._measure(scope, status or 500, time.perf_counter() - started)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            await self._count(scope)
            check_head(scope)
            body = await read_body(scope, receive, scope["app"].state.system.settings.body_bytes)
            found = self._commands.find(scope["method"], scope["path"])
            if found:
                scope["route"], scope["path_params"] = found
                response = await found[0](request, body)
        except Exception as error:  # noqa: BLE001 - what is not expected is raised again
            await told(request, error)(scope, receive, send)
            return
        if found:
            await response(scope, receive, send)
        else:
            await self._app(scope, again(body, receive), send)

    async def _count(self, scope: Scope) -> None:
        if scope["path"] not in UNCOUNTED:
            allowance = await self.rates.count(caller_of(scope, scope["app"].state.system))
            scope["state"]["allowance"] = allowance
            if not allowance.passed:
                raise TooManyRequests(allowance)

    @staticmethod
    def _measure(scope: Scope, status: int, seconds: float) -> None:
        telemetry: Telemetry = scope["app"].state.system.telemetry
        method = scope["method"] if scope["method"] in METHODS else "other"
        endpoint = getattr(scope.get("route"), "path", "unknown")
        telemetry.request(method, endpoint, status, seconds)


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers by their names in small letters; of one sent twice, the first."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }
