"""The embedded profile: deposits into a SQLite file, beside the library's SQLite recorder.

The library writes what a deposit writes: two events in one transaction, the next ones of the same
two streams. It has nothing that would stand for a receipt, so it writes a row less.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from domain.banking.external import external_id
from infra.database import Database
from tests.bench.bench import Bench, NotDurable
from tests.bench.dispatch import depositing, over
from tests.bench.figures import Contender, Figure, Group
from tests.bench.ours import CONTEXT, accounts, opened
from tests.bench.reference import Library, on_known_streams

OURS, LIBRARY = "embedded", "library on SQLite"


def durability(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return how a connection keeps what it commits: 2 is FULL, 1 NORMAL."""
    return {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }


@contextmanager
def _library(
    bench: Bench, streams: list[tuple[UUID, UUID]]
) -> Iterator[tuple[Contender, dict[str, Any]]]:
    datastore = SQLiteDatastore(str(bench.folder / "library.db"))
    try:
        recorder = SQLiteApplicationRecorder(datastore)
        recorder.create_table()
        with datastore.get_connection(commit=True) as connection:
            settings = durability(connection._sqlite_conn)
        events = on_known_streams(streams)
        # Every account is opened in ours: as many facts on as many streams.
        recorder.insert_events([event for _ in streams for event in events()])
        yield Library(recorder, 1, events), settings
    finally:
        datastore.close()


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    number = bench.size("embedded_accounts", 10_000, 200)
    url = f"sqlite:///{bench.folder / 'ours.db'}"
    with ExitStack() as open_:
        ours = open_.enter_context(opened(url))
        made = accounts(ours, number)
        streams = [(account, external_id("cash", "EUR", account)) for account in made]
        library, theirs = open_.enter_context(_library(bench, streams))
        database: Database = ours.system.databases[CONTEXT]
        connection = database.connect()
        own = durability(connection)
        connection.close()
        bench.note("embedded_durability", {"ours": own, "library": theirs})
        if own["synchronous"] < theirs["synchronous"]:
            raise NotDurable(f"ours syncs less than the library: {own}, {theirs}")
        yield {OURS: depositing(ours, over(made)), LIBRARY: library}


GROUP = Group(
    figures=(Figure(name="embedded", ours=OURS, reference=(LIBRARY,), at_least=3),), open=_open
)
