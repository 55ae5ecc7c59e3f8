"""Drift audit: a sample of rows, folded from the log, is compared with the live ones and mended.

A pass takes rows from the live tables, where some may be wrong or should not be, and rows that
facts at chosen places are about, where some may be missing. All are folded from the first fact up
to where the live tables are.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Clock
from infra.aside.whereabouts import whereabouts
from infra.caching.stamps import renew
from infra.database import Database
from infra.discovery import Projecting
from infra.guarding.folds import Fold, touched
from infra.guarding.mending import differences, named_row, put, put_past, said
from infra.interventions import Intervention, record
from infra.log.codec import Codec
from infra.log.port import MAX_PAGE, CorruptFact, Store
from infra.log.tail import Facts
from infra.log.unbroken import read_on
from infra.rebuilding.generations import held_position, kept
from infra.rebuilding.versions import version_of
from infra.rows.rowsets import Key

SAMPLE = 200
"""Rows of a table in one pass, unless told otherwise; as many again come from the log."""
MAX_SAMPLE = 20_000
RUNS = 4
"""Places in a table, and in the log, where a sample is taken: rows side by side are cheap."""
MAX_MENDED = 20
"""Rows of a projection that one pass mends; when more differ, a rebuild is what is needed."""
MAX_NAMED = 20
"""Rows that a report names."""
CLOSE = 1_000
"""Facts behind the live tables that are folded in one go, to compare at their position."""
MAX_TARGETS = 10
"""Times a pass goes after live tables that move on, before it folds all that is left at once."""
MENDED = "MendRow"
"""The action under which a mended row is in the audit trail."""


@dataclass
class Drift:
    """What a pass found in one projection."""

    projection: str
    position: int
    rows: int = 0
    """Compared."""
    differences: list[str] = field(default_factory=list)
    """The first rows that differ, by key."""
    total: int = 0
    mended: int = 0
    notes: list[str] = field(default_factory=list)
    """What was not compared or not mended, and why."""
    failure: str | None = None
    """Why its rows could not be folded."""

    @property
    def good(self) -> bool:
        """Whether every compared row is right, or is so now."""
        return self.total == self.mended and self.failure is None

    def note(self, sentence: str) -> None:
        """Say once what was not compared or not mended."""
        if sentence not in self.notes:
            self.notes.append(sentence)


class Pass:
    """One pass over a context's log for a sample of the rows of its projections."""

    def __init__(
        self,
        projections: Sequence[Projecting],
        store: Store,
        codec: Codec,
        database: Database,
        clock: Clock,
        *,
        sample: int = SAMPLE,
        chance: Random | None = None,
    ) -> None:
        self.position = 0
        self.target = 0
        self.folds = [Fold(projecting) for projecting in projections]
        self._store = store
        self._codec = codec
        self._database = database
        self._clock = clock
        self._sample = sample
        self._chance = chance or Random()  # nosec B311 # noqa: S311 - a sample is no secret
        self._targets = 0

    async def begin(self) -> None:
        """Choose the rows."""
        async with self._database.read() as connection:
            for fold in self.folds:
                for table in fold.rows:
                    fold.want(table, await self._some_rows(connection, table))
        await self._aim()
        some = [facts async for facts in self._some_facts()]
        for fold in self.folds:
            wanted: dict[Table, dict[Key, None]] = {}
            for facts in some:
                for table, key in touched(fold.projecting, facts):
                    keys = wanted.setdefault(table, {})
                    if len(keys) < self._sample:
                        keys[key] = None
            for table, keys in wanted.items():
                fold.want(table, keys)

    async def step(self, limit: int) -> int:
        """Fold some facts; returns how many. 0: it is close enough to compare."""
        if self.position >= self.target:
            await self._aim()
            if self.target - self.position <= CLOSE or self._targets > MAX_TARGETS:
                return 0
        before = self.position
        facts, self.position = await self._read(before, limit, self.target)
        for fold in self.folds:
            fold.take(facts, self.position)
        return self.position - before

    async def end(self, *, mend: bool, actor: str) -> list[Drift]:
        """Compare, and mend when asked to: as `actor`, for the audit trail."""
        return [await self._end(fold, mend, actor) for fold in self.folds]

    async def _aim(self) -> None:
        self._targets += 1
        async with self._database.read() as connection:
            for fold in self.folds:
                fold.know(await whereabouts(connection, fold.projecting))
        self.target = max((fold.target for fold in self.folds), default=0)

    async def _read(self, after: int, limit: int, upto: int) -> tuple[Facts, int]:
        """Return the next facts, and how far they go; one that all have parked may be missing."""
        recorded = await read_on(self._store, after, limit, upto)
        facts = []
        for one in recorded:
            try:
                facts.append((self._codec.decode(one), one.at))
            except CorruptFact:
                if not all(fold.lacks(one.at.position) for fold in self.folds):
                    raise
        return facts, recorded[-1].at.position

    async def _some_rows(self, connection: AsyncConnection, table: Table) -> list[Key]:
        keys = list(table.primary_key.columns)
        total = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
        run = max(1, self._sample // RUNS)
        starts = [self._chance.randrange(max(1, total - run + 1)) for _ in range(RUNS)]
        if total <= self._sample:
            run, starts = self._sample, [0]
        found: list[Key] = []
        for start in starts:
            query = select(*keys).order_by(*keys).offset(start).limit(run)
            found += [tuple(row) for row in await connection.execute(query)]
        return found

    async def _some_facts(self) -> AsyncIterator[Facts]:
        head = await self._store.head()
        run = max(1, self._sample // RUNS)
        starts = [self._chance.randrange(max(1, head - run + 1)) for _ in range(RUNS)]
        if head <= min(self._sample, MAX_PAGE):
            run, starts = min(self._sample, MAX_PAGE), [0]
        for start in starts:
            if head:
                yield (await self._read(start, run, head))[0]

    async def _end(self, fold: Fold, mend: bool, actor: str) -> Drift:
        found = Drift(fold.projecting.name, fold.position)
        async with self._database.read() as connection:
            stored = await kept(connection, fold.projecting)
            if stored and stored.live.version != version_of(fold.projecting):
                found.note("filled by another version of it; rebuild it with aorist replay")
                return found
            differing = await self._compare(connection, fold, found)
        if mend and 0 < found.total <= MAX_MENDED:
            await self._mend(fold, found, differing, actor)
        elif mend and found.total:
            found.note(
                f"more than {MAX_MENDED} rows differ and none is mended; look for the cause, then "
                "rebuild it with aorist replay"
            )
        return found

    async def _compare(
        self, connection: AsyncConnection, fold: Fold, found: Drift
    ) -> dict[Table, list[Key]]:
        """Bring the fold to where the live tables are, as the transaction sees them; compare."""
        differing: dict[Table, list[Key]] = {}
        if not await self._bring(connection, fold, found):
            return differing
        for table, rows in fold.rows.items():
            if table in fold.unclear:
                found.note(
                    f"{table.schema}.{table.name} is changed by statements over many rows; only "
                    "aorist replay compares it"
                )
                continue
            found.rows += len(rows)
            for key, live, right in await differences(connection, table, rows, list(rows)):
                found.total += 1
                differing.setdefault(table, []).append(key)
                if len(found.differences) < MAX_NAMED:
                    found.differences.append(f"{named_row(table, key)}: {said(live, right)}")
        return differing

    async def _bring(self, connection: AsyncConnection, fold: Fold, found: Drift) -> bool:
        place = await whereabouts(connection, fold.projecting)
        fold.know(place)
        found.position = place.position
        if fold.changed or place.position < fold.position:
            found.note("parked facts were let go, or its tables swapped, meanwhile")
            return False
        if place.parked:
            found.note(f"{len(place.parked):,} parked facts are left out")
        while fold.position < place.position and fold.failure is None:
            fold.take(*await self._read(fold.position, MAX_PAGE, place.position))
        found.failure = fold.failure
        return fold.failure is None

    async def _mend(
        self, fold: Fold, found: Drift, differing: dict[Table, list[Key]], actor: str
    ) -> None:
        """Put right rows in the place of wrong ones, and their past, where the reader stands."""
        again = await self._again(fold, differing)
        async with self._database.write() as connection:
            await held_position(connection, fold.projecting)
            if not await self._bring(connection, again, found):
                return
            made = []
            for table, rows in again.rows.items():
                for key, live, right in await differences(connection, table, rows, list(rows)):
                    await put(connection, table, key, right)
                    made.append(self._made(again, table, key, said(live, right), actor))
                if past := again.past.get(table):
                    await put_past(connection, table, rows, past)
            await renew(connection, fold.projecting)
            for one in made:
                await record(connection, fold.projecting.context, one)
        found.mended = len(made)

    async def _again(self, fold: Fold, differing: dict[Table, list[Key]]) -> Fold:
        """Fold the rows that differ a second time, with all their versions."""
        again = Fold(fold.projecting, past=True)
        for table, keys in differing.items():
            again.want(table, keys)
        async with self._database.read() as connection:
            again.know(await whereabouts(connection, fold.projecting))
        while again.position < again.target and again.failure is None:
            again.take(*await self._read(again.position, MAX_PAGE, again.target))
        return again

    def _made(self, fold: Fold, table: Table, key: Key, change: str, actor: str) -> Intervention:
        return Intervention(
            time=self._clock.now(),
            actor=actor,
            action=MENDED,
            subject=f"projection {fold.projecting.name}, row {named_row(table, key)}",
            resource=next((part for part in key if isinstance(part, UUID)), None),
            position=fold.position,
            detail=change,
            reason="the live row was not what the facts fold to",
        )
