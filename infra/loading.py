"""Gathered reads: streams that are wanted while one read is under way come with the next one."""

import asyncio
from uuid import UUID

from infra.log.port import Recorded, Store

MAX_STREAMS = 500
"""Streams in one read."""


class GatheredReads:
    """The queue for reading one store's streams. No timer: an idle store reads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wanted: dict[UUID, asyncio.Future[list[Recorded]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def stream(self, id: UUID) -> list[Recorded]:
        """Return all facts of a stream, in order. Whoever wants the same one shares the read."""
        future = self._wanted.get(id)
        if future is None:
            future = self._wanted[id] = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._drain(), name=f"{self._store.context}-reads")
        return await asyncio.shield(future)

    async def _drain(self) -> None:
        while self._wanted:
            ids = list(self._wanted)[:MAX_STREAMS]
            # Taken out before the read: whoever comes during it may need to see more.
            futures = [self._wanted.pop(id) for id in ids]
            try:
                found = await self._store.streams(ids)
            except BaseException as error:
                for future in futures:
                    future.set_exception(error)
                    future.exception()  # whoever waited may have gone away
                if not isinstance(error, Exception):
                    raise
            else:
                for id, future in zip(ids, futures, strict=True):
                    future.set_result(found.get(id, []))
