"""A proxy between one client and the brokers: the way through it is cut, stands still or is slow.

The brokers are those that other tests use; nobody else notices. It speaks HTTP's CONNECT, which
kafka-python uses where it is told a `proxy_url`.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

READ_BYTES = 65_536
HEAD_END = b"\r\n\r\n"
JOIN_S = 20


class Proxy:
    """One way to the brokers."""

    def __init__(self) -> None:
        self.refused = 0
        """How many connections were turned away."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_cut = False
        self._bytes_a_second: int | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(JOIN_S)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Break what is connected, and let nobody connect."""
        self._call(self._cut)

    def stall(self) -> None:
        """Let connections be, and let nothing through: as a broker that stands still."""
        self._call(self._flows.clear)

    def slow(self, bytes_a_second: int) -> None:
        """Let so much through on each connection and in each direction."""
        self._bytes_a_second = bytes_a_second

    def mend(self) -> None:
        """Let everything through again."""
        self._is_cut, self._bytes_a_second = False, None
        self._call(self._flows.set)

    def close(self) -> None:
        """End it."""
        self._call(self._server.close)
        self._call(self._cut)
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result(JOIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(JOIN_S)
        self._loop.close()

    def _call(self, work: Callable[[], object]) -> None:
        """Do it in the proxy's thread, and wait until it is done."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(work)
        self._loop.call_soon_threadsafe(done.set)
        done.wait(JOIN_S)

    def _cut(self) -> None:
        self._is_cut = True
        for one in self._serving:
            one.cancel()

    async def _ended(self) -> None:
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            if self._is_cut:
                self.refused += 1
            else:
                with suppress(OSError, EOFError, asyncio.CancelledError):
                    await self._connect(reader, writer)
        finally:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(HEAD_END)
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        from_broker, to_broker = await asyncio.open_connection(host, int(port))
        try:
            writer.write(b"HTTP/1.1 200 OK" + HEAD_END)
            pumps = [self._pump(reader, to_broker), self._pump(from_broker, writer)]
            running = [asyncio.ensure_future(pump) for pump in pumps]
            try:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in running:
                    one.cancel()
                await asyncio.gather(*running, return_exceptions=True)
        finally:
            to_broker.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ_BYTES):
            await self._flows.wait()
            for begin in range(0, len(data), step := self._bytes_a_second or len(data)):
                writer.write(data[begin : begin + step])
                await writer.drain()
                if self._bytes_a_second:
                    await asyncio.sleep(min(1.0, (len(data) - begin) / self._bytes_a_second))


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Run a proxy; end it.

    Kafka's client says nothing meanwhile: log lines that a test keeps would hold on to sockets, by
    way of the exceptions in them.
    """
    logger = logging.getLogger("kafka")
    logger.setLevel(logging.CRITICAL)
    made = Proxy()
    try:
        yield made
    finally:
        made.close()
        logger.setLevel(logging.NOTSET)
