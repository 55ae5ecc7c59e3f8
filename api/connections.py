"""The server: uvicorn's, with bounds on what clients may send and how long they may take.

uvicorn lets a client drip a head or a body, or not read an answer, for ever; and a head that has
no end grows in its memory. Once a second each connection is looked at, which costs a request
nothing but to note when it began to wait.
"""

import asyncio
from typing import Any
from uuid import uuid4

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.bounds import MAX_HEAD, MAX_TARGET
from infra.settings import Settings

MAX_RECEIVED = MAX_HEAD + MAX_TARGET
"""Bytes without the end of a head in them."""
LOOK_TICKS = 10
"""Ticks of uvicorn, of 0.1 s, from one look at the connections to the next."""
TOO_MANY = "as many clients are connected as may be; try again later"
TOO_LONG = f"the head has more than {MAX_HEAD} bytes; send fewer or shorter headers"
TOO_SLOW = "the request has not come within {seconds} s; send it at once"
REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Connection(HttpToolsProtocol):
    """One client's connection."""

    most = 0
    """How many there may be."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.waiting_since: float | None = None
        """Since when the client is to send something; None while it is not its turn."""
        self.stuck_since: float | None = None
        """Since when it does not read what is sent to it."""
        self._in_head = True
        self._received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client in, unless there are too many."""
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        if len(self.connections) > self.most:
            self.refuse(503, "busy", TOO_MANY)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._in_head:
            self._received += len(data)
        super().data_received(data)
        if self._in_head and self._received > MAX_RECEIVED and not self.transport.is_closing():
            self.refuse(431, "head_too_large", TOO_LONG)

    def on_message_begin(self) -> None:
        """Note when a request begins to come."""
        super().on_message_begin()
        self.waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Begin to answer; the body is to come now."""
        self._in_head = False
        self.waiting_since = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait no more: all of the request is there."""
        self._in_head, self._received = True, 0
        self.waiting_since = None
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Note when the client begins not to read."""
        super().pause_writing()
        self.stuck_since = self.loop.time()

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self.stuck_since = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self.refuse(400, "malformed_request", msg)

    def look(self, seconds: float) -> None:
        """Break off when the client has taken longer than so many seconds."""
        now = self.loop.time()
        if self.flow.read_paused:  # it is us who let it wait
            self.waiting_since = self.waiting_since and now
        if self.stuck_since is not None and now - self.stuck_since > seconds:
            self.transport.abort()
        elif self.waiting_since is not None and now - self.waiting_since > seconds:
            self.refuse(408, "too_slow_a_client", TOO_SLOW.format(seconds=seconds))

    def refuse(self, status: int, code: str, detail: str) -> None:
        """Answer with a problem, if nothing is answered yet, and close."""
        self.waiting_since = None
        begun = self.cycle is not None and not self.cycle.response_complete
        if not (begun and self.cycle.response_started):
            self.transport.write(_problem(status, code, detail))
        if begun:
            self.cycle.disconnected = True  # what is answered later goes nowhere
            self.cycle.message_event.set()
        self.transport.close()


def _problem(status: int, code: str, detail: str) -> bytes:
    """Return an answer as `api.problems` has them, for what never became a request."""
    correlation_id = str(uuid4())
    content = {
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": "",
        "code": code,
        "correlation_id": correlation_id,
    }
    body = msgspec.json.encode(content)
    head = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        f"x-correlation-id: {correlation_id}",
        "cache-control: no-store",
        "connection: close",
        *(["retry-after: 1"] if status == 503 else []),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


class Server(uvicorn.Server):
    """uvicorn's server of such connections."""

    def __init__(self, app: Any, settings: Settings, **options: Any) -> None:
        bounded = type("Bounded", (Connection,), {"most": settings.connections})
        config = uvicorn.Config(
            app,
            http=bounded,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            **options,
        )
        super().__init__(config)
        self._client_s = settings.client_s

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections now and then."""
        if counter % LOOK_TICKS == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look(self._client_s)
        return await super().on_tick(counter)
