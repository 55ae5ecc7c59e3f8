"""Around every request: its correlation id, its size limit, its metrics, its last resort."""

import re
import time
from uuid import UUID, uuid5

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.hardening import hardened
from api.problems import problem, told
from api.sending import Commands, Sending
from infra.clock import SystemIds
from infra.telemetry import Telemetry

CORRELATION = "x-correlation-id"
CLIENT_GONE = 499
"""The status in the metrics for a client that went away before its answer."""
LENGTH = re.compile(r"\d{1,18}")
MAX_CORRELATION = 200
CORRELATION_NAMES = UUID("0b6fb7a4-77c7-4a52-8e0f-6d5c3d6a4b0e")
"""Namespace for correlation ids that are no UUIDs: the same text is the same id."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Methods that the metrics tell apart; a client may invent others without end."""

log = structlog.get_logger("aorist.http")


class TooLarge(HTTPException):
    """The body is larger than the server takes."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body is larger than {most} bytes; send less at once")


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

    def __init__(self, app: ASGIApp, commands: Commands) -> None:
        self._app = app
        self._commands = commands
        self._ids = SystemIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        given = headers.get(CORRELATION, "").strip()[:MAX_CORRELATION]
        correlation_id = correlation_of(given) if given else self._ids.new()
        scope.setdefault("state", {}).update(correlation_id=correlation_id, headers=headers)
        # The caller's own text comes back, so that it can be found again by it.
        named = CORRELATION.encode(), (given or str(correlation_id)).encode("latin-1")
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = (*message.get("headers", ()), named)
                message["headers"] = hardened(scope["path"], given)
            await send(message)

        try:
            found = self._commands.find(scope["method"], scope["path"])
            if found:
                scope["route"], scope["path_params"] = found
                await self._send(found[0], scope, receive, answer)
            else:
                await self._limited(scope, receive, answer)
        except ClientDisconnect:
            status = status or CLIENT_GONE
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
            await problem(Request(scope), 500, "unexpected", detail)(scope, receive, answer)
        finally:
            self._measure(scope, status or 500, time.perf_counter() - started)

    async def _send(self, sending: Sending, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await sending(request, await _body(scope, receive))
        except Exception as error:  # noqa: BLE001 - what is not expected is raised again
            response = told(request, error)
        await response(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it comes: a chunked one does not say how long it is."""
        most: int = scope["app"].state.system.settings.body_bytes
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise TooLarge(most)
            return message

        if _length(scope) > most:
            error = TooLarge(most)
            answer = problem(Request(scope), error.status_code, "too_large", error.detail)
            await answer(scope, receive, send)
        else:
            await self._app(scope, counted, send)

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


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Return the whole body. Raises `TooLarge`, or `ClientDisconnect`."""
    most: int = scope["app"].state.system.settings.body_bytes
    if _length(scope) > most:
        raise TooLarge(most)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > most:
            raise TooLarge(most)
        if not message.get("more_body", False):
            return bytes(body)


def _length(scope: Scope) -> int:
    value = scope["state"]["headers"].get("content-length", "")
    return int(value) if LENGTH.fullmatch(value) else 0
