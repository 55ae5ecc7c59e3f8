"""Rebuilds projections from the log beside the live tables, compares the two, and swaps them."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from domain import Envelope, Event
from infra.database import Database
from infra.discovery import Projecting
from infra.log.codec import Codec
from infra.log.port import MAX_PAGE, CorruptFact, Store, Unavailable
from infra.log.tail import Facts
from infra.log.unbroken import read_on
from infra.rebuilding.comparison import Comparison
from infra.rebuilding.generations import held_position, kept, patiently, position_of, swap_in
from infra.rebuilding.gently import resting
from infra.rebuilding.shadow import Shadow
from infra.rows.comparing import compare
from infra.rows.rowchanges import ImpossibleChange
from infra.rows.tables import all_tables, in_schema, shadow_of

BATCH = 20_000
"""Facts written to the shadow tables in one transaction; as many again are read ahead."""
NEAR = 1_000
"""Facts that are left for the comparison: the live reader does not wait to be caught."""
SNAPSHOTS = 1_000
"""How often SQLite is asked for a state in which live and shadow tables are at one position."""

Progress = Callable[[int, int, float], None]
"""Called with facts done, facts in all, and seconds since the start."""


async def rebuild(
    projecting: Projecting, store: Store, codec: Codec, database: Database, **options: object
) -> Comparison:
    """Rebuild one projection; see `rebuild_all`. Raises what keeps it from being projected."""
    (comparison,) = await rebuild_all([projecting], store, codec, database, **options)  # type: ignore[arg-type]
    if comparison.failure is not None:
        raise comparison.failure
    return comparison


async def rebuild_all(
    projections: Sequence[Projecting],
    store: Store,
    codec: Codec,
    database: Database,
    *,
    accept: bool = False,
    swap: bool = True,
    afresh: bool = False,
    batch: int = BATCH,
    rest: float = 0.0,
    progress: Progress | None = None,
) -> list[Comparison]:
    """Project a context's log anew into shadow tables and compare them with the live ones.

    The live tables go on serving, and following. Where the two are equal, or `accept` is given,
    the rebuilt tables take the place of the live ones in one transaction, unless `swap` is False;
    otherwise they are dropped. A rebuild that was broken off goes on where it was, unless it is to
    start `afresh`. After each batch it rests `rest` times as long as that took.

    Raises `CorruptFact` at a fact that cannot be read, and `RebuiltElsewhere`.
    """
    work = _Rebuild(projections, store, codec, database, batch, rest, progress)
    await work.begin(afresh=afresh)
    await work.catch_up()
    return [await work.end(shadow, accept=accept, swap=swap) for shadow in work.shadows]


class _Rebuild:
    """Projections of one context that are rebuilt together: its log is read once for all."""

    def __init__(
        self,
        projections: Sequence[Projecting],
        store: Store,
        codec: Codec,
        database: Database,
        batch: int,
        rest: float,
        progress: Progress | None,
    ) -> None:
        self.shadows = [Shadow(projecting, database) for projecting in projections]
        self._store = store
        self._codec = codec
        self._database = database
        self._batch = batch
        self._rest = rest
        self._progress = progress
        self._started = time.perf_counter()

    async def begin(self, *, afresh: bool) -> None:
        """Take the shadow tables over."""
        for shadow in self.shadows:
            await shadow.begin(afresh=afresh)

    async def catch_up(self) -> None:
        """Fill all shadow tables up to where the slowest of the live ones is."""
        near = 0
        while behind := await self._behind(near):
            near = NEAR
            (position, target), shadows = behind
            async with aclosing(self._pages(position, target)) as pages:
                async for facts in pages:
                    async with resting(self._rest):
                        await self._write(shadows, facts, target)
                    if self._progress:
                        done = facts[-1][1].position
                        self._progress(done, target, time.perf_counter() - self._started)
                    shadows = [shadow for shadow in shadows if shadow.failure is None]
                    if not shadows:
                        break

    async def _behind(self, near: int) -> tuple[tuple[int, int], list[Shadow]] | None:
        """Return those that are furthest behind, their position and how far to go together.

        None when all are at most `near` facts behind.
        """
        async with self._database.read() as connection:
            targets = {
                shadow: await position_of(connection, shadow.projecting)
                for shadow in self.shadows
                if shadow.failure is None
            }
        behind = {s: target for s, target in targets.items() if s.position < target - near}
        if not behind:
            return None
        position = min(shadow.position for shadow in behind)
        shadows = [shadow for shadow in behind if shadow.position == position]
        ahead = [shadow.position for shadow in behind if shadow.position > position]
        return (position, min([*ahead, *(behind[shadow] for shadow in shadows)])), shadows

    async def _pages(self, after: int, upto: int) -> AsyncGenerator[Facts, None]:
        """Yield the facts in batches; the next is read while one is written."""
        coming = asyncio.create_task(self._read(after, upto))
        try:
            while facts := await coming:
                after = facts[-1][1].position
                coming = asyncio.create_task(self._read(after, upto))
                yield facts
        finally:
            coming.cancel()
            await asyncio.wait([coming])

    async def _read(self, after: int, upto: int, limit: int | None = None) -> Facts:
        """Return the next facts; one that cannot be read ends them, and is raised when first."""
        facts: list[tuple[Event, Envelope]] = []
        limit = limit or self._batch
        try:
            while after < upto and len(facts) < limit:
                size = min(MAX_PAGE, limit - len(facts))
                recorded = await read_on(self._store, after, size, upto)
                facts.extend((self._codec.decode(one), one.at) for one in recorded)
                after = facts[-1][1].position
        except CorruptFact:
            if not facts:
                raise
        return facts

    async def _write(self, shadows: Sequence[Shadow], facts: Facts, target: int) -> None:
        """Write a batch; a faulty one is divided until the fault has one place."""
        try:
            async with self._undoing(shadows), self._database.write() as connection:
                for shadow in shadows:
                    await shadow.write(connection, facts, target)
        except ImpossibleChange as error:
            if len(shadows) == len(facts) == 1:
                shadows[0].failure = error
                return
        else:
            for shadow in shadows:
                shadow.written(facts)
            return
        if len(shadows) > 1:
            for shadow in shadows:
                await self._write([shadow], facts, target)
            return
        half = len(facts) // 2
        for some in (facts[:half], facts[half:]):
            if shadows[0].failure is None:
                await self._write(shadows, some, target)

    async def _bring(self, connection: AsyncConnection, shadow: Shadow, upto: int) -> None:
        """Project the last few facts within a transaction."""
        after = shadow.position
        while after < upto:
            facts = await self._read(after, upto)
            await shadow.write(connection, facts, upto)
            after = facts[-1][1].position

    async def end(self, shadow: Shadow, *, accept: bool, swap: bool) -> Comparison:
        """Compare, and swap or drop."""
        comparison = Comparison(shadow.projecting.name, shadow.position)
        comparison.resumed_at, comparison.failure = shadow.resumed_at, shadow.failure
        if shadow.failure is None:
            await shadow.index()
            async with self._at_one_position(shadow) as connection:
                await self._compare(connection, shadow, comparison)
            if swap and (comparison.equal or accept):
                comparison.position = await self._swap(shadow)
                comparison.swapped = True
        if not comparison.swapped:
            await shadow.drop()
        comparison.seconds = time.perf_counter() - self._started
        return comparison

    @asynccontextmanager
    async def _at_one_position(self, shadow: Shadow) -> AsyncIterator[AsyncConnection]:
        """Open a transaction in which live and shadow tables are at one position.

        The live reader is not held: it goes on, and the transaction does not see it.
        """
        if not self._database.is_sqlite:
            async with self._undoing([shadow]), self._database.write(of_one_state=True) as one:
                await self._database.leave_processors(one)
                position = await position_of(one, shadow.projecting)
                await self._bring(one, shadow, position)
                yield one
            shadow.position = position
            return
        # A SQLite transaction that reads one state cannot write another one.
        for _ in range(SNAPSHOTS):
            await self._fill(shadow)
            async with self._database.read() as one:
                if await position_of(one, shadow.projecting) == shadow.position:
                    yield one
                    return
        raise Unavailable(f"{shadow.projecting.name} never rests; compare it at a quieter time")

    async def _fill(self, shadow: Shadow) -> None:
        """Bring the shadow to where the live tables are."""
        async with self._undoing([shadow]), self._database.write() as connection:
            position = await position_of(connection, shadow.projecting)
            await self._bring(connection, shadow, position)
        shadow.position = position

    @asynccontextmanager
    async def _undoing(self, shadows: Sequence[Shadow]) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            for shadow in shadows:
                shadow.undone()
            raise

    async def _compare(
        self, connection: AsyncConnection, shadow: Shadow, comparison: Comparison
    ) -> None:
        comparison.position = await position_of(connection, shadow.projecting)
        found = await kept(connection, shadow.projecting)
        if found and found.live.layout != shadow.generation.layout:
            comparison.total = 1
            comparison.differences = ["its tables have changed: rows cannot be compared"]
            return
        schema = shadow_of(shadow.projecting.context)
        for table in all_tables(shadow.projecting):
            differing = await compare(connection, table, in_schema(table, schema))
            comparison.rows += differing.rows
            comparison.total += differing.total
            comparison.differences += differing.named

    async def _swap(self, shadow: Shadow) -> int:
        """Swap shadow and live tables where the live reader is; returns that position."""

        async def swap(connection: AsyncConnection) -> int:
            position = await held_position(connection, shadow.projecting)
            if self._database.is_sqlite:
                async with self._undoing([shadow]):
                    await self._bring(connection, shadow, position)
            else:
                # Committed first: a query that began before the swap may read the new tables, and
                # would not see in them what the swap itself has written.
                await self._fill(shadow)
            shadow.position = position
            await shadow.end(connection)
            await swap_in(connection, shadow.projecting, shadow.generation, position)
            return position

        return await patiently(self._database, swap, shadow.projecting.name)
