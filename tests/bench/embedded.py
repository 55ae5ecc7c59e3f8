"""The embedded profile: deposits into a SQLite file, beside the library's SQLite recorder."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from infra.database import Database
from tests.bench.bench import Bench, NotDurable
from tests.bench.dispatch import depositing, over
from tests.bench.figures import Contender, Figure, Group
from tests.bench.ours import CONTEXT, accounts, opened
from tests.bench.reference import Library

OURS, LIBRARY = "embedded", "library on SQLite"


def durability(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return how a connection keeps what it commits: 2 is FULL, 1 NORMAL."""
    return {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }


@contextmanager
def _library(bench: Bench) -> Iterator[tuple[Contender, dict[str, Any]]]:
    datastore = SQLiteDatastore(str(bench.folder / "library.db"))
    try:
        recorder = SQLiteApplicationRecorder(datastore)
        recorder.create_table()
        with datastore.get_connection(commit=True) as connection:
            settings = durability(connection._sqlite_conn)
        yield Library(recorder, 1), settings
    finally:
        datastore.close()


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    number = bench.size("embedded_accounts", 10_000, 200)
    url = f"sqlite:///{bench.folder / 'ours.db'}"
    with opened(url) as ours, _library(bench) as (library, theirs):
        database: Database = ours.system.databases[CONTEXT]
        connection = database.connect()
        own = durability(connection)
        connection.close()
        bench.note("embedded_durability", {"ours": own, "library": theirs})
        if own["synchronous"] < theirs["synchronous"]:
            raise NotDurable(f"ours syncs less than the library: {own}, {theirs}")
        yield {OURS: depositing(ours, over(accounts(ours, number))), LIBRARY: library}


GROUP = Group(
    figures=(Figure(name="embedded", ours=OURS, reference=(LIBRARY,), at_least=3),), open=_open
)
