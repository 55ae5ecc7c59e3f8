"""In a SQLite file a stream's facts are found wherever they are: in the index, or behind it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from infra.database import Database
from infra.log import sqlite_streams
from infra.log.histories import Wanted
from infra.log.port import Accepted, Append, CorruptFact, Stale, Taken, Write
from infra.log.sqlite import SQLiteStore
from tests.log.appends import A, B, C, append, fact, origin
from tests.stores import Stores

TAIL = 8
"""Facts behind the index at which they are indexed here."""
IDS = [UUID(int=0x500 + n) for n in range(12)]
Open = Callable[[], SQLiteStore]


@pytest.fixture
def run() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    with asyncio.Runner() as runner:

        async def awaited(work: Awaitable[Any]) -> Any:
            return await work

        yield lambda work: runner.run(awaited(work))


@pytest.fixture
def process(all_stores: Stores, monkeypatch: pytest.MonkeyPatch, run) -> Iterator[Open]:
    """Opens one log as another process does, again and again."""
    monkeypatch.setattr(sqlite_streams, "MAX_TAIL", TAIL)
    url = all_stores.settings("sqlite").database_url
    opened: list[SQLiteStore] = []

    def open_() -> SQLiteStore:
        opened.append(SQLiteStore(Database(url, 1), "probe"))
        return opened[-1]

    yield open_
    for store in opened:
        run(store.close())


def indexed(store: SQLiteStore) -> int:
    """Up to where the log is indexed."""
    with store._writing() as connection:
        (position,) = connection.execute("SELECT indexed FROM probe_head").fetchone()
    return int(position)


def sql(store: SQLiteStore, statement: str) -> None:
    with store._writing() as connection:
        connection.execute(statement)


def claim(stream: UUID, *versions: int) -> Append:
    """An append that expects nothing but that its versions are free."""
    facts = tuple(fact(version) for version in versions)
    return Append(origin=origin(), writes=(Write(stream, None, facts, versions),))


def expect_found(store: SQLiteStore, versions: dict[UUID, int], run) -> None:
    """Every way to read a stream finds its facts, all of them and in order."""
    histories = run(store.histories.read([Wanted(id) for id in IDS], 100))
    for id, history in zip(IDS, histories, strict=True):
        all_ = list(range(1, versions[id] + 1))
        assert [version for _, version, _, _ in history.facts] == all_
        for after, upto, limit, newest_first in [
            (0, None, None, False),
            (0, None, 3, True),
            (2, 5, 2, False),
            (versions[id] - 1, None, None, True),
        ]:
            found = run(store.stream(id, after, upto, limit, newest_first=newest_first))
            expected = [n for n in all_ if after < n <= (upto or n)]
            expected = expected[::-1] if newest_first else expected
            assert [one.at.version for one in found] == expected[:limit]
            assert {one.at.stream for one in found} <= {id}
        about = run(store.receipts(limit=1_000, resource=id))
        assert sum(stored.facts for _, stored in about if stored.stream == id) == len(all_)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slow", [False, True], ids=["at once", "in steps"])
def test_processes_that_write_in_turns_find_every_fact(
    process: Open, run, monkeypatch: pytest.MonkeyPatch, slow: bool, seed: int
) -> None:
    if slow:
        monkeypatch.setattr(sqlite_streams, "LONG_S", 0.0)
        monkeypatch.setattr(sqlite_streams, "MIN_STEP", 3)
    chance = random.Random(seed)
    processes = [process(), process()]
    versions = dict.fromkeys(IDS, 0)
    for step in range(90):
        if step == 40:
            processes.append(process())
        store = chance.choice(processes)
        batch, right = [], True
        after = dict(versions)
        for id in chance.sample(IDS, chance.randint(1, 5)):
            wrong = chance.random() < 0.05
            number = chance.randint(0, 3)
            batch.append(append(id, after[id] + wrong, *[fact(step)] * number))
            right = right and not wrong
            after[id] += number
        outcomes = run(store.append(batch))
        if right:
            assert all(isinstance(one, Accepted) for one in outcomes)
            versions = after
        else:
            moved = [one.writes[0] for one in batch]
            assert outcomes == [
                Stale(one.stream) if one.expected != versions[one.stream] else None for one in moved
            ]
        if step % 10 == 9:
            for reading in processes:
                expect_found(reading, versions, run)
    head = run(processes[0].head())
    assert head == sum(versions.values())
    assert head - TAIL - 15 < indexed(processes[0]) <= head


def test_what_is_not_indexed_is_bounded_by_programs_that_append_once(process: Open, run) -> None:
    for number in range(3 * TAIL):
        store = process()
        run(store.append([append(A, number, fact())]))
        assert run(store.head()) - indexed(store) <= TAIL


@pytest.mark.parametrize("between", [0, TAIL], ids=["behind the index", "in the index"])
def test_a_version_that_a_stream_has_is_taken(process: Open, run, between: int) -> None:
    store = process()
    run(store.append([claim(A, 0, 4), append(B, 0, fact())]))
    run(store.append([append(C, 0, *[fact()] * between)]))
    run(store.append([append(B, 1, fact())]))
    assert indexed(store) == between
    with pytest.raises(Taken, match="version 4 already"):
        run(store.append([claim(A, 3, 4)]))
    run(store.append([claim(A, 3)]))
    assert [one.at.version for one in run(store.stream(A, -1))] == [0, 3, 4]
    assert run(store.append([append(A, 3, fact())])) == [Stale(A)]
    assert isinstance(run(store.append([append(A, 4, fact())]))[0], Accepted)


def test_a_version_that_a_batch_has_twice_is_taken(process: Open, run) -> None:
    with pytest.raises(Taken, match="2 facts are to be version 4"):
        run(process().append([claim(A, 3, 4), claim(A, 4)]))


def test_a_version_that_is_in_the_log_twice_stops_it(process: Open, run) -> None:
    store = process()
    run(store.append([append(A, 0, *[fact()] * TAIL)]))
    sql(store, "UPDATE probe_events SET version = 1 WHERE position = 3")
    for _ in range(2):
        with pytest.raises(
            CorruptFact, match="a version of a stream twice, behind position 0; aorist check"
        ):
            run(store.append([append(B, 0, fact())]))
    assert run(store.head()) == TAIL
    sql(store, "UPDATE probe_events SET version = 3 WHERE position = 3")
    assert isinstance(run(store.append([append(B, 0, fact())]))[0], Accepted)


def test_an_index_that_is_wrong_is_told_and_can_be_made_anew(process: Open, run) -> None:
    store = process()
    versions = dict.fromkeys(IDS, 2)
    for id in IDS:
        run(store.append([append(id, 0, fact(), fact())]))
    assert run(store.histories.misplaced(9)) == []
    sql(store, "DELETE FROM probe_streams WHERE position = 3")
    sql(store, "UPDATE probe_streams SET position = 9 WHERE position = 2")
    lacking, wrong = [(2, IDS[0], 2), (3, IDS[1], 1)], [(9, IDS[0], 2)]
    assert run(store.histories.misplaced(9)) == lacking + wrong
    assert run(store.histories.misplaced(1)) == lacking[:1]
    sql(store, "DELETE FROM probe_streams")
    sql(store, "UPDATE probe_head SET indexed = 0")
    expect_found(process(), versions, run)
    run(process().append([append(A, 0, fact())]))
    assert indexed(store) == 2 * len(IDS)
    assert run(store.histories.misplaced(9)) == []
    expect_found(process(), versions, run)
