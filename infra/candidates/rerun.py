"""Runs the code at hand over the logs and writes down what comes of it; for `launch`.

It opens the databases read-only.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from domain import Envelope, Event
from infra.candidates.folded import Folded
from infra.candidates.scratch import Scratch, Shaped
from infra.database import Database
from infra.discovery import Features, Projecting
from infra.log.codec import Codec
from infra.log.port import LogError, Store
from infra.log.postgres import PostgresStore, open_pool
from infra.log.sqlite import SQLiteStore
from infra.log.unbroken import read_on
from infra.projector import Projector
from infra.rows.rowchanges import ImpossibleChange
from infra.rows.tables import all_tables, create_tables

BATCH = 1_000
"""Facts in one read."""

Tell = Callable[[dict[str, object]], None]
"""Tells whoever started the process how far it is."""


class Given(msgspec.Struct):
    """What to run over, as `infra.candidates.whatif` writes it to standard input."""

    urls: dict[str, str]
    """Of each context's database."""
    heads: dict[str, int]
    """The last position of each log that is read."""
    chosen: list[str]
    """The contexts whose logs are run over; sagas may look into the others."""
    projections: list[str]
    """Only these; all, when none is named."""
    folder: str
    """Where what comes of it is written."""

    @property
    def everything(self) -> bool:
        """Whether states and sagas are looked at too."""
        return not self.projections


class Rerun:
    """One run of the code at hand over the logs."""

    def __init__(self, given: Given, features: Features, tell: Tell) -> None:
        self._given = given
        self._tell = tell
        self._features = features
        self._codec = Codec(features.facts)
        self._scratch = Scratch(Path(given.folder))
        self._rows = Database(f"sqlite:///{given.folder}/rows.db", 1)
        self._databases: list[Database] = []
        self._pools: list[Any] = []
        self._stores: dict[str, Store] = {}
        self._stopped: set[str] = set()
        """Projections that could not go on."""
        self._done = 0

    async def run(self) -> None:
        """Run over all logs that are asked for."""
        try:
            for context, url in self._given.urls.items():
                if context in self._features.contexts:
                    self._stores[context] = await self._open(url, context)
            for context in self._stores:
                if context in self._given.chosen:
                    await self._over(context)
            self._scratch.close()
        finally:
            for store in self._stores.values():
                await store.close()
            for pool in self._pools:
                await pool.close()
            for database in (self._rows, *self._databases):
                await database.close()

    async def _open(self, url: str, context: str) -> Store:
        database = Database(url, 2, read_only=True)
        self._databases.append(database)
        if database.is_sqlite:
            return SQLiteStore(database, context)
        self._pools.append(await open_pool(database, 2))
        return PostgresStore(self._pools[-1], context)

    async def _over(self, context: str) -> None:
        projections = [
            one
            for one in self._features.projections
            if one.context == context
            and (self._given.everything or one.name in self._given.projections)
        ]
        for projecting in projections:
            tables = all_tables(projecting)
            async with self._rows.write() as connection:
                await create_tables(connection, tables)
            self._scratch.shaped(projecting.name, [Shaped.of(table) for table in tables])
        folded = Folded(
            context,
            self._features,
            self._stores,
            self._given.heads,
            self._codec,
            self._scratch.state,
        )
        store, position = self._stores[context], 0
        while position < self._given.heads[context]:
            recorded = await read_on(store, position, BATCH, self._given.heads[context])
            facts = [(self._codec.decode(one), one.at) for one in recorded]
            for projecting in projections:
                await self._project(projecting, facts)
            if self._given.everything:
                for fact, at in facts:
                    if (decision := await folded.decide(at)) is not None:
                        self._scratch.decision(decision)
                    for step in await folded.take(fact, at):
                        self._scratch.step(step)
            position = facts[-1][1].position
            self._done += len(facts)
            self._tell({"done": self._done})
        folded.end()

    async def _project(
        self, projecting: Projecting, facts: Sequence[tuple[Event, Envelope]]
    ) -> None:
        """Project a batch; one that fails is halved until the fault has one place."""
        if projecting.name in self._stopped:
            return
        try:
            write = await Projector(projecting)(facts)
            async with self._rows.write() as connection:
                await write(connection)
        except Exception as error:  # noqa: BLE001 - whatever the candidate raises is its answer
            if len(facts) > 1:
                half = len(facts) // 2
                await self._project(projecting, facts[:half])
                await self._project(projecting, facts[half:])
                return
            self._stopped.add(projecting.name)
            said = str(error) if isinstance(error, ImpossibleChange) else _said(error)
            self._scratch.fault(f"projection {projecting.name}", facts[0][1].position, said)


def _said(error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def run(given: bytes, features: Features, tell: Tell) -> str | None:
    """Run over what is given; returns why it came to no end, if it did not."""
    try:
        asyncio.run(Rerun(msgspec.json.decode(given, type=Given), features, tell).run())
    except LogError as error:
        return str(error)
    return None
