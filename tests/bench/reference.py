"""What ours is compared with: pgbench, and the eventsourcing library's own recorders."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, cycle
from os import environ
from pathlib import Path
from random import Random
from typing import Any, Protocol
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from tests.bench.figures import Measures
from tests.bench.ours import ids

FACT_BYTES = 200
TOPIC = "banking.account.frozen"
PGBENCH_CLIENTS, PGBENCH_THREADS = 16, 2
LIBRARY_THREADS = 16
GRACE_S = 60
"""How much longer than its round a program may take."""

# Ids in order of time, as ours are: 13 digits that stay, 19 that count up.
SCRIPT = r"""
\set n :n + 1
\set id 1000000000000000000 + (:n * 100 + :client_id) * 1000000 + random(0, 999999)
INSERT INTO reference.events (position, stream, version, topic, data, time, actor, command_id,
 correlation_id) SELECT nextval('reference.position'), made, 1, '{topic}',
 ('{{"reason":"' || made || '{padding}"}}')::json, clock_timestamp(), '{actor}', made, made
 FROM (SELECT ('0190000000007' || :id)::uuid AS made) AS id;
"""


def fact(text: str) -> bytes:
    """Return the JSON of a fact of `FACT_BYTES`, told apart by `text`."""
    return b'{"reason":"%s"}' % text.encode().ljust(FACT_BYTES - 13, b".")


def reference_table(url: str) -> None:
    """Make `reference.events`, in all like `banking.events` in the same database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA reference")
        connection.execute("CREATE SEQUENCE reference.position")
        connection.execute("CREATE TABLE reference.events (LIKE banking.events INCLUDING ALL)")


class NoPgbench(Exception):
    """pgbench is not installed here."""


class PgBench:
    """PostgreSQL's own load generator: one autocommitted INSERT a transaction.

    Its table has the columns, constraints and indexes of `banking.events` in the same database.
    """

    def __init__(self, url: str, folder: Path, actor: str) -> None:
        self._program = find_pgbench()
        given = conninfo_to_dict(url)
        names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE"}
        names |= {"user": "PGUSER", "password": "PGPASSWORD", "options": "PGOPTIONS"}
        self._environment = {
            **environ,
            **{names[key]: str(value) for key, value in given.items() if key in names},
        }
        self._script = folder / "insert.sql"
        padding = "." * (FACT_BYTES - 13 - 36)
        self._script.write_text(SCRIPT.format(topic=TOPIC, padding=padding, actor=actor))
        self._begun = 0
        reference_table(url)

    def __call__(self, seconds: float) -> Measures:
        """Run it; pgbench counts whole seconds."""
        whole = max(1, round(seconds))
        words = [self._program, "--no-vacuum", "--protocol=prepared", f"--file={self._script}"]
        words += [f"--client={PGBENCH_CLIENTS}", f"--jobs={PGBENCH_THREADS}", f"--time={whole}"]
        words += [f"--define=n={self._begun}"]
        self._begun += 10**7  # more than a round can use up
        done = subprocess.run(
            words,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=whole + GRACE_S,
            check=False,
        )
        found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
        if done.returncode or not found:
            raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
        return {"rate": float(found[1])}


def find_pgbench() -> str:
    """Return the path of pgbench. Raises `NoPgbench`."""
    config = shutil.which("pg_config")
    folders: list[str] = []
    if config:
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        folders.append(asked.stdout.strip())
    folders += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    for folder in folders:
        if (found := Path(folder) / "pgbench").exists():
            return str(found)
    if on_path := shutil.which("pgbench"):
        return on_path
    raise NoPgbench("pgbench is not found; install PostgreSQL's programs (postgresql-contrib)")


class Recorder(Protocol):
    """What of a recorder of the library is measured."""

    def insert_events(self, stored_events: Sequence[StoredEvent]) -> Any:
        """Insert and commit."""
        ...


def on_a_new_stream() -> list[StoredEvent]:
    """Return the events of one transaction: one, the first of its stream."""
    stream = ids.new()
    return [StoredEvent(stream, 1, TOPIC, fact(str(stream)))]


def on_known_streams(streams: Sequence[Sequence[UUID]]) -> Callable[[], list[StoredEvent]]:
    """Return what makes the events of one transaction: the next of each of some streams.

    It goes through `streams` again and again, in a shuffled order.
    """
    versions = dict.fromkeys(chain.from_iterable(streams), 0)
    turns = cycle(Random(0).sample(streams, len(streams)))

    def events() -> list[StoredEvent]:
        made = []
        for stream in next(turns):
            versions[stream] += 1
            made.append(StoredEvent(stream, versions[stream], TOPIC, fact(str(stream))))
        return made

    return events


class Library:
    """A recorder of the eventsourcing library; each thread inserts one transaction at a time."""

    def __init__(
        self,
        recorder: Recorder,
        threads: int,
        events: Callable[[], list[StoredEvent]] = on_a_new_stream,
    ) -> None:
        self._recorder = recorder
        self._threads = threads
        self._events = events

    def __call__(self, seconds: float) -> Measures:
        """Insert for so long."""
        ready = threading.Barrier(self._threads)

        def insert() -> int:
            ready.wait(GRACE_S)
            done, started = 0, time.perf_counter()
            while time.perf_counter() - started < seconds:
                self._recorder.insert_events(self._events())
                done += 1
            return done

        started = time.perf_counter()
        with ThreadPoolExecutor(self._threads) as threads:
            running = [threads.submit(insert) for _ in range(self._threads)]
            done = sum(thread.result() for thread in running)
        return {"rate": done / (time.perf_counter() - started), "done": done}


@contextmanager
def library_on_postgres(url: str, *, functions: bool) -> Iterator[Callable[[float], Measures]]:
    """Yield the library's recorder in one of its modes, in a schema of its own."""
    given = conninfo_to_dict(url)
    schema = "library_functions" if functions else "library_lock"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    datastore = PostgresDatastore(
        dbname=str(given["dbname"]),
        host=str(given["host"]),
        port=str(given.get("port", 5432)),
        user=str(given["user"]),
        password=str(given.get("password", "")),
        pool_size=LIBRARY_THREADS,
        schema=schema,
        enable_db_functions=functions,
    )
    try:
        recorder = PostgresApplicationRecorder(datastore, events_table_name="events")
        recorder.create_table()
        yield Library(recorder, LIBRARY_THREADS)
    finally:
        datastore.close()
