"""A SQLite file has the same in it whether a batch was written at once or looked at closely."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from infra.database import Database
from infra.log.batch import Batch
from infra.log.port import (
    Accepted,
    Append,
    Encoded,
    Outcome,
    Refusal,
    Repeated,
    Stale,
    Tracked,
    Write,
)
from infra.log.sqlite_append import SQLiteAppend
from infra.log.sqlite_batch import Lines
from infra.log.sqlite_streams import SQLiteStreams
from tests.log.appends import A, B, C, append, fact, origin
from tests.stores import Stores

SEALED = Encoded("probe.job.pushed", b"\x00\xff", is_json=False)
TABLES = {
    "events": "position, stream, version, topic, data, actor, command_id, correlation_id,"
    " causation_id, traceparent",
    "receipts": "number, actor, command, key, command_id, fingerprint, correlation_id,"
    " causation_id, address, agent, reason, roles, stream, version, position, facts,"
    " refusal_code, refusal_detail, refusal_type",
    "head": "position",
    "readers": "name, position",
}


class Log:
    """A log as its writing thread has it."""

    def __init__(self, url: str) -> None:
        self.connection = Database(url, 1).connect()
        self.appending = SQLiteAppend(self.connection, "probe", SQLiteStreams("probe"))
        self.closely = 0
        """How many batches were looked at."""
        look = self.appending._closely

        def looked(lines: Lines) -> list[Outcome | None]:
            self.closely += 1
            return look(lines)

        self.appending._closely = looked  # type: ignore[method-assign]

    def append(self, *appends: Append) -> list[Outcome | None]:
        return self.appending(Lines(Batch(appends)))

    def rows(self) -> dict[str, list[Any]]:
        """Everything but the times."""
        return {
            table: self.connection.execute(f"SELECT {columns} FROM probe_{table}").fetchall()
            for table, columns in TABLES.items()
        }


@pytest.fixture
def log(all_stores: Stores) -> Iterator[Log]:
    """A log with a fact in it, so that its end is known."""
    made = Log(all_stores.settings("sqlite").database_url)
    made.append(append(C, 0, fact(), key="first"))
    assert made.closely == 1
    yield made
    made.connection.close()


@pytest.fixture
def wary(all_stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A log like it that looks at every batch closely."""
    made = Log(all_stores.settings("sqlite").database_url)
    monkeypatch.setattr(made.appending, "_at_once", lambda lines, end: None)
    made.append(append(C, 0, fact(), key="first"))
    yield made
    made.connection.close()


def mixed() -> list[Append]:
    """Appends of all shapes: many facts, many streams, refusals, one upon another."""
    many = tuple(Write(UUID(int=0x100 + n), 0, (fact(n),) * (n % 4)) for n in range(7))
    named: dict[str, Any] = {
        "address": "::1",
        "agent": "a",
        "reason": "r",
        "roles": "x,y",
        "traceparent": "00-t",
    }
    return [
        append(A, 0, fact(1), fact(2), fact(3), **named),
        append(A, 3, SEALED, causation_id=UUID(int=5)),
        append(B, 0, refusal=Refusal("job_over", "it is over")),
        Append(origin=origin(), writes=many),
        append(A, 4, fact(), tracked=Tracked("probe.saga", 7)),
        append(A, 5, tracked=Tracked("probe.saga", 9)),
        append(B, 0, tracked=Tracked("probe.other", 3)),
    ]


def test_both_ways_write_the_same(log: Log, wary: Log) -> None:
    for one in (wary, log):  # the first append's ids are each log's own
        for table in ("events", "receipts"):
            one.connection.execute(f"DELETE FROM probe_{table}")
    appends = mixed()
    assert [one and type(one) for one in log.append(*appends)] == [Accepted] * len(appends)
    wary.append(*appends)
    assert (log.closely, wary.closely) == (1, 2)
    assert log.rows() == wary.rows()
    assert len(log.rows()["events"]) == 3 + 1 + 9 + 1
    assert log.rows()["readers"] == [("probe.other", 3), ("probe.saga", 9)]


def reading(*streams: UUID) -> Append:
    """An append that is a refusal upon several streams, all expected to be empty."""
    return Append(
        origin=origin(),
        writes=tuple(Write(stream, 0, ()) for stream in streams),
        refusal=Refusal("job_over", "it is over"),
    )


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        (append(A, 1, fact()), Stale(A)),
        (append(C, 0), Stale(C)),
        *[(reading(*(UUID(int=0x400 + n) for n in range(more)), C), Stale(C)) for more in range(6)],
    ],
    ids=["fact", "check", *[f"last of {more + 1} checks" for more in range(6)]],
)
def test_what_is_stale_is_found_and_nothing_is_written(
    log: Log, wrong: Append, outcome: Stale
) -> None:
    before = log.rows()
    assert log.append(append(B, 0, fact()), wrong) == [None, outcome]
    assert log.rows() == before
    assert log.closely == 2


def test_a_reader_that_has_moved_on_is_found(log: Log) -> None:
    log.append(append(A, 0, fact(), tracked=Tracked("probe.saga", 7)))
    before = log.rows()
    late = append(B, 0, fact(), tracked=Tracked("probe.saga", 7))
    assert log.append(late) == [Stale(None)]
    assert (log.rows(), log.closely) == (before, 2)


def test_a_key_that_was_used_is_found(log: Log) -> None:
    before = log.rows()
    nothing, again = log.append(append(B, 0, fact()), append(A, 0, fact(), key="first"))
    assert nothing is None
    assert isinstance(again, Repeated)
    assert again.stored.position == 1
    assert log.rows() == before


def test_what_another_connection_appended_is_noticed(log: Log) -> None:
    path = log.connection.execute("PRAGMA database_list").fetchone()[2]
    other = Log(f"sqlite:///{Path(path)}")
    other.append(append(B, 0, fact()))
    (mine,) = log.append(append(A, 0, fact()))
    assert isinstance(mine, Accepted)
    assert (mine.position, log.closely) == (3, 2)
    assert isinstance(log.append(append(A, 1, fact()))[0], Accepted)
    assert log.closely == 2, "it knows the end again"
    other.connection.close()


def test_a_batch_of_any_size_is_one_statement(log: Log) -> None:
    many = 1_000
    appends = [append(UUID(int=0x300 + n), 0, *[fact()] * (n % 4)) for n in range(many)]
    assert all(isinstance(one, Accepted) for one in log.append(*appends))
    assert log.closely == 1
    assert log.rows()["head"] == [(1 + many // 4 * 6,)]


def test_an_error_of_the_file_leaves_nothing_and_the_end_is_asked_for(log: Log) -> None:
    log.connection.execute("PRAGMA query_only = on")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        log.append(append(A, 0, fact()))
    log.connection.execute("PRAGMA query_only = off")
    assert isinstance(log.append(append(A, 0, fact()))[0], Accepted)
    assert log.closely == 2
