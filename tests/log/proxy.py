"""Stands between clients and PostgreSQL, and cuts connections at chosen statements."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import make_url

ENCRYPTION_REQUESTS = (80877103, 80877104)
"""What a client may ask before it says who it is; the answer N says that there is none."""
BIND, PARSE, QUERY, SYNC, READY = b"B", b"P", b"Q", b"S", b"Z"


class Fate(StrEnum):
    """What becomes of a statement and of its connection."""

    PASSED = "nothing happens"
    UNSENT = "the cut comes before the statement reaches the server"
    UNANSWERED = "the cut comes after the statement is done and before its answer is back"
    RUNNING = "the cut comes while the server is at it"
    LATE = "the cut comes first, and the statement reaches the server later"


class End(NamedTuple):
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def message(self) -> tuple[bytes, bytes]:
        """Read one message; return its type and all of it."""
        head = await self.reader.readexactly(5)
        rest = int.from_bytes(head[1:]) - 4
        return head[:1], head + await self.reader.readexactly(rest)

    async def answer(self) -> None:
        """Read what the server says until it is ready for the next statement."""
        while (await self.message())[0] != READY:
            pass


class Proxy:
    """A port of this machine that leads to a server; `next` says what happens on the way."""

    def __init__(self, target: str) -> None:
        self._target = make_url(target)
        self._text = b""
        self._fates: deque[Fate] = deque()
        self._release = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_away = False
        self.late: set[asyncio.Task[None]] = set()
        """The passages with a statement that `deliver` brings to the server."""

    def url(self, port: int) -> str:
        """Return the server's URL by way of this port."""
        return self._target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)

    def next(self, *fates: Fate, text: str = ".append(") -> None:
        """Say what becomes of the next statements that have `text` in them, one after the other."""
        self._text, self._fates = text.encode(), deque(fates)

    @property
    def left(self) -> list[Fate]:
        """What has not happened yet."""
        return list(self._fates)

    async def deliver(self) -> None:
        """Bring the statements that are late to the server, and wait until they are done."""
        self._release.set()
        await asyncio.gather(*self.late)

    async def leave(self) -> None:
        """Cut everybody off, and whoever comes, until `come_back`."""
        self._is_away = True
        await self.close()

    def come_back(self) -> None:
        """Let connections through again."""
        self._is_away = False

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client."""
        if self._is_away:
            writer.close()
            return
        task = asyncio.create_task(self._serve(End(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cut everybody off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, client: End) -> None:
        server = End(*await asyncio.open_connection(self._target.host, self._target.port))
        answers = asyncio.create_task(_copy(server.reader, client.writer))
        try:
            # Whoever goes away, even in the middle of a message, has gone away.
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                fate, statement = await self._pass_on(client, server)
                answers.cancel()
                await self._cut(fate, statement, client, server)
        finally:
            answers.cancel()
            client.writer.close()
            server.writer.close()

    async def _pass_on(self, client: End, server: End) -> tuple[Fate, bytes]:
        """Pass messages on, up to a statement that does not get through; return that."""
        server.writer.write(await _start(client))
        statements: dict[bytes, bytes] = {}
        while True:
            kind, message = await client.message()
            name, _, rest = message[5:].partition(b"\0")
            if kind == PARSE:
                statements[name] = rest
            run = {QUERY: message, BIND: statements.get(rest.partition(b"\0")[0], b"")}
            if self._fates and self._text in run.get(kind, b""):
                while kind not in (SYNC, QUERY):
                    kind, more = await client.message()
                    message += more
                fate = self._fates.popleft()
                if fate is not Fate.PASSED:
                    return fate, message
            server.writer.write(message)
            await server.writer.drain()

    async def _cut(self, fate: Fate, statement: bytes, client: End, server: End) -> None:
        if fate is Fate.UNSENT:
            return
        if fate is not Fate.UNANSWERED:
            client.writer.close()
        if fate is Fate.LATE:
            task = asyncio.current_task()
            assert task is not None
            self.late.add(task)
            await self._release.wait()
        server.writer.write(statement)
        await server.answer()


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Yield a proxy before a server, and the URL that leads through it."""
    made = Proxy(target)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    try:
        yield made, made.url(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await made.close()


async def _start(client: End) -> bytes:
    """Return the client's first message; that one has no type."""
    while True:
        length = await client.reader.readexactly(4)
        body = await client.reader.readexactly(int.from_bytes(length) - 4)
        if int.from_bytes(body[:4]) not in ENCRYPTION_REQUESTS:
            return length + body
        client.writer.write(b"N")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
