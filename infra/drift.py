"""Drift audit: a sample of rows, folded from the log, is compared with the live ones and mended.

A pass takes rows from the live tables, where some may be wrong or should not be, and rows that
facts at chosen places are about, where some may be missing. All are folded from the first fact up
to where the live tables are.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Clock
from infra.database import Database
from infra.discovery import Projecting
from infra.folds import Fold, plain, touched
from infra.generations import held_position, kept, position_of
from infra.interventions import Intervention, record
from infra.log.codec import Codec
from infra.log.port import MAX_PAGE, Store
from infra.log.tail import Facts
from infra.log.unbroken import read_on
from infra.rowsets import Key, Row, change, find, remove
from infra.versions import version_of

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
        self._chance = chance or Random()  # noqa: S311 - a sample is no secret
        self._targets = 0

    async def begin(self) -> None:
        """Choose the rows."""
        async with self._database.read() as connection:
            for fold in self.folds:
                for table in fold.rows:
                    fold.want(table, await self._some_rows(connection, table))
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
        await self._aim()

    async def step(self, limit: int) -> int:
        """Fold some facts; returns how many. 0: it is close enough to compare."""
        if self.position >= self.target:
            await self._aim()
            if self.target - self.position <= CLOSE or self._targets > MAX_TARGETS:
                return 0
        facts = await self._read(self.position, limit, self.target)
        for fold in self.folds:
            fold.take(facts[: max(0, fold.target - facts[0][1].position + 1)])
        self.position = facts[-1][1].position
        return len(facts)

    async def end(self, *, mend: bool, actor: str) -> list[Drift]:
        """Compare, and mend when asked to: as `actor`, for the audit trail."""
        return [await self._end(fold, mend, actor) for fold in self.folds]

    async def _aim(self) -> None:
        self._targets += 1
        async with self._database.read() as connection:
            for fold in self.folds:
                fold.target = await position_of(connection, fold.projecting)
        self.target = max((fold.target for fold in self.folds), default=0)

    async def _read(self, after: int, limit: int, upto: int) -> Facts:
        recorded = await read_on(self._store, after, limit, upto)
        return [(self._codec.decode(one), one.at) for one in recorded]

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
            yield await self._read(start, run, head)

    async def _end(self, fold: Fold, mend: bool, actor: str) -> Drift:
        found = Drift(fold.projecting.name, fold.position)
        async with self._database.read() as connection:
            stored = await kept(connection, fold.projecting)
            if stored and stored.live.version != version_of(fold.projecting):
                found.notes.append("filled by another version of it; rebuild it with aorist replay")
                return found
            differing = await self._compare(connection, fold, found)
        if mend and 0 < found.total <= MAX_MENDED:
            await self._mend(fold, found, differing, actor)
        elif mend and found.total:
            found.notes.append(
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
                found.notes.append(
                    f"{table.schema}.{table.name} is changed by statements over many rows; only "
                    "aorist replay compares it"
                )
                continue
            found.rows += len(rows)
            for key, live, right in await _differences(connection, table, rows, list(rows)):
                found.total += 1
                differing.setdefault(table, []).append(key)
                if len(found.differences) < MAX_NAMED:
                    found.differences.append(f"{_named(table, key)}: {said(live, right)}")
        return differing

    async def _bring(self, connection: AsyncConnection, fold: Fold, found: Drift) -> bool:
        found.position = position = await position_of(connection, fold.projecting)
        if position < fold.position:
            found.notes.append("its tables were put back to an earlier position meanwhile")
            return False
        while fold.position < position and fold.failure is None:
            fold.take(await self._read(fold.position, MAX_PAGE, position))
        found.failure = fold.failure
        return fold.failure is None

    async def _mend(
        self, fold: Fold, found: Drift, differing: dict[Table, list[Key]], actor: str
    ) -> None:
        """Put right rows in the place of wrong ones, where the held reader stands."""
        mended = 0
        async with self._database.write() as connection:
            await held_position(connection, fold.projecting)
            if not await self._bring(connection, fold, found):
                return
            made = []
            for table, keys in differing.items():
                for key, live, right in await _differences(
                    connection, table, fold.rows[table], keys
                ):
                    await _put(connection, table, key, right)
                    made.append(self._made(fold, table, key, said(live, right), actor))
            for one in made:
                await record(connection, fold.projecting.context, one)
            mended = len(made)
        found.mended = mended

    def _made(self, fold: Fold, table: Table, key: Key, change: str, actor: str) -> Intervention:
        return Intervention(
            time=self._clock.now(),
            actor=actor,
            action=MENDED,
            subject=f"projection {fold.projecting.name}, row {_named(table, key)}",
            resource=next((part for part in key if isinstance(part, UUID)), None),
            position=fold.position,
            detail=change,
            reason="the live row was not what the facts fold to",
        )


async def _differences(
    connection: AsyncConnection, table: Table, rows: dict[Key, Row | None], keys: Sequence[Key]
) -> list[tuple[Key, Row | None, Row | None]]:
    """Return key, live row and folded row of those that are not the same."""
    if not keys:
        return []
    names = [column.name for column in table.primary_key.columns]
    answer = await find(connection, table, list(keys))
    live: dict[Key, Row] = {tuple(row[name] for name in names): row for row in await answer()}
    found = []
    for key in keys:
        there, right = live.get(key), plain(table, rows[key], _as_stored)
        if there != right:
            found.append((key, there, right))
    return found


async def _put(connection: AsyncConnection, table: Table, key: Key, right: Row | None) -> None:
    if right is None:
        await remove(connection, table, [key])
    else:
        await change(connection, table, [right])


def said(live: Row | None, right: Row | None) -> str:
    """Return how a live row differs from the right one."""
    if live is None:
        return "missing"
    if right is None:
        return "should not be there"
    return "; ".join(
        f"{name}: {live[name]!r} should be {right[name]!r}"
        for name in right
        if live.get(name) != right[name]
    )


def _as_stored(document: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document))


def _named(table: Table, key: Key) -> str:
    return f"{table.schema}.{table.name} {', '.join(map(str, key))}"
