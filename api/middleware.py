"""Around every request: its correlation id, its size limit, its metrics, its log line."""

import re
import time
from uuid import UUID, uuid5

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from infra.clock import SystemIds
from infra.telemetry import Telemetry

CORRELATION = "X-Correlation-ID"
MAX_CORRELATION = 200
CORRELATION_NAMES = UUID("0b6fb7a4-77c7-4a52-8e0f-6d5c3d6a4b0e")
"""Namespace for correlation ids that are no UUIDs: the same text is the same id."""

log = structlog.get_logger("aorist.http")


class TooLarge(Exception):
    """The body is larger than the server takes."""


class Around:
    """ASGI middleware; pure, so that streams pass through it unbuffered."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, body_bytes: int) -> None:
        self._app = app
        self._telemetry = telemetry
        self._body_bytes = body_bytes
        self._ids = SystemIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        correlation_id = self._correlation(headers)
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        started, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[CORRELATION] = str(correlation_id)
            await send(message)

        try:
            if _length(headers) > self._body_bytes:
                await self._too_large(scope, receive, answer)
            else:
                await self._limited(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            route = scope.get("route")
            endpoint = getattr(route, "path", "unknown")
            self._telemetry.requests.labels(scope["method"], endpoint, status).inc()
            self._telemetry.request_seconds.labels(scope["method"], endpoint).observe(seconds)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it comes: a chunked one does not say how long it is."""
        received, begun = 0, False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._body_bytes:
                raise TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except TooLarge:
            if begun:
                raise
            await self._too_large(scope, receive, send)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"the body is larger than {self._body_bytes} bytes; send less at once"
        await problem(Request(scope), 413, "too_large", detail)(scope, receive, send)

    def _correlation(self, headers: Headers) -> UUID:
        given = headers.get(CORRELATION, "").strip()[:MAX_CORRELATION]
        if not given:
            return self._ids.new()
        try:
            return UUID(given)
        except ValueError:
            return uuid5(CORRELATION_NAMES, given)


def _length(headers: Headers) -> int:
    value = headers.get("Content-Length", "")
    return int(value) if re.fullmatch(r"\d{1,18}", value) else 0
