"""Kept answers with Redis as the second level: it may be away, be emptied or lie."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from infra.caching.entries import MAX_BYTES, opened, packed, sealed, unpacked
from infra.caching.stamps import Place
from infra.settings import Settings
from tests.caching import JOBS, Processes, entries, forget, processes, two_with_jobs, with_redis
from tests.probe.job import PushJob, StartJob
from tests.redises import SECONDS, Server
from tests.stores import Stores

A, B = JOBS[:2]
SOON_MS = 30


@pytest.fixture
def settings(all_stores: Stores) -> Settings:
    """What Redis does is the same on each store; see test_cache_chaos.py."""
    return all_stores.settings("sqlite")


@pytest.fixture
def both(settings: Settings, private: Server) -> Iterator[Processes]:
    yield from two_with_jobs(with_redis(settings, private))


def test_what_one_process_has_read_another_need_not_read(both: Processes, private: Server) -> None:
    assert both.row(A, by=0) == both.row(A, by=1) == both.stored(A)
    assert both.looked("hit", "redis", by=1) == 1
    assert both.row(A, by=1) == both.stored(A)
    assert both.looked("hit", "memory", by=1) == 1
    for name in entries(private):
        assert 0 < private.client.ttl(name) <= 3_600


def test_what_is_out_of_date_is_not_taken(both: Processes) -> None:
    both.row(A, by=0)
    both.send(PushJob(job_id=A))
    assert both.row(A, by=1)["pushes"] == 1
    assert both.looked("old", "redis", by=1) == 1


Poison = Callable[[bytes, dict[bytes, bytes], dict[bytes, bytes]], bytes]
POISONS: dict[str, tuple[str, Poison]] = {
    "garbage": ("forged", lambda name, now, before: b"garbage"),
    "as long as a seal": ("forged", lambda name, now, before: b"x" * 16),
    "huge": ("forged", lambda name, now, before: b"\0" * 3_000_000),
    "cut": ("forged", lambda name, now, before: now[name][:-1]),
    "longer": ("forged", lambda name, now, before: now[name] + b"\0"),
    "another key's": ("forged", lambda name, now, before: next(now[n] for n in now if n != name)),
    "an older one": ("old", lambda name, now, before: before[name]),
}


def test_poison_is_told_from_an_answer(both: Processes, private: Server) -> None:
    both.all_are_right()
    before = entries(private)
    for id in (A, B):
        both.send(PushJob(job_id=id))
    both.all_are_right()
    now = entries(private)
    for what, (told, poison) in POISONS.items():
        for name in now:
            private.client.set(name, poison(name, now, before))
        times = both.looked(told, "redis", by=1)
        forget(both, by=1)
        assert both.row(A, by=1) == both.stored(A), what
        assert both.looked(told, "redis", by=1) == times + 1, what
    for name in now:
        private.client.delete(name)
        private.client.rpush(name, "a value of another type")
    forget(both, by=1)
    assert both.row(A, by=1) == both.stored(A)
    assert both.looked("away", "redis", by=1) == 1


@pytest.mark.parametrize("fault", ["kill", "pause", "flush"])
def test_queries_are_answered_without_redis_and_with_it_again(
    settings: Settings, private: Server, fault: str
) -> None:
    with processes(with_redis(settings, private, SOON_MS)) as both:
        both.send(StartJob(job_id=A, name="a"))
        both.all_are_right()
        match fault:
            case "kill":
                private.kill()
            case "pause":
                private.pause()
            case _:
                private.client.flushall()
        for _ in range(2):
            both.send(PushJob(job_id=A))
            forget(both)
            both.all_are_right()
        told = both.probe.run(both.systems[0].degraded())
        assert any("Redis does not answer" in one for one in told) == (fault != "flush")
        private.restore()
        hits = both.looked("hit", "redis", by=1)
        until = time.monotonic() + SECONDS
        while both.looked("hit", "redis", by=1) == hits:
            assert time.monotonic() < until, "it is not used again"
            forget(both, by=0)
            forget(both, by=1)
            both.all_are_right()


def test_systems_that_share_a_redis_do_not_see_each_others_answers(
    all_stores: Stores, private: Server
) -> None:
    for name in ("one", "two"):
        with processes(with_redis(all_stores.settings("sqlite"), private)) as both:
            both.send(StartJob(job_id=A, name=name))
            assert [both.row(A, by)["name"] for by in (0, 1)] == [name, name]
            assert both.looked("miss", "redis") == 1, "the other system's is not in its way"


# ── a database that is restored: positions are lower than in Redis ───────────────────────────


def copied(file: Path, to: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def restored(saved: Path, file: Path) -> None:
    for leftover in (Path(f"{file}-wal"), Path(f"{file}-shm")):
        leftover.unlink(missing_ok=True)
    shutil.copyfile(saved, file)


def test_what_was_kept_of_a_lost_future_is_not_taken(
    all_stores: Stores, private: Server, tmp_path: Path
) -> None:
    settings = with_redis(all_stores.settings("sqlite"), private)
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    with processes(settings) as both:
        for id in JOBS:
            both.send(StartJob(job_id=id, name="before"))
        both.all_are_right()
        copied(file, tmp_path / "saved.db")
        for id in (A, B, A, A):
            both.send(PushJob(job_id=id, note="lost"))
            both.all_are_right()
    lost = entries(private)
    restored(tmp_path / "saved.db", file)
    for name, entry in lost.items():
        private.client.set(name, entry)
    with processes(settings) as both:
        for id in (B, B, JOBS[2], A, JOBS[3]):  # as many as were lost, and more
            both.all_are_right()
            both.send(PushJob(job_id=id, note="anew"))
            for name, entry in lost.items():
                private.client.set(name, entry)
            forget(both)
        both.all_are_right()
        assert both.looked("old", "redis") > 0


# ── entries ──────────────────────────────────────────────────────────────────────────────────

KEY = b"k" * 32
PLACE = Place(7, b"mark")


def test_a_row_comes_back_as_it_was_or_is_not_kept() -> None:
    row = {"id": A, "n": 1, "text": "é", "none": None, "yes": True, "list": [{"a": 1}]}
    data = packed(row)
    assert data is not None
    assert unpacked(data) == row
    assert packed({"sum": Decimal(1)}) is None, "it would come back as a text"
    assert packed({"set": {1}}) is None
    assert packed({"ids": [A]}) is None
    assert packed({"long": "x" * MAX_BYTES}) is None
    assert packed({"large": 2**70}) is None


def test_a_seal_is_good_for_its_name_and_token_only() -> None:
    entry = sealed("name", KEY, PLACE, b"data")
    assert opened("name", KEY, entry) == (PLACE, b"data")
    assert opened("other", KEY, entry) is None
    assert opened("name", b"o" * 32, entry) is None
    assert b"data" not in entry
    for place in range(len(entry)):
        changed = bytes([*entry[:place], entry[place] ^ 1, *entry[place + 1 :]])
        assert opened("name", KEY, changed) is None
    for length in range(len(entry)):
        assert opened("name", KEY, entry[:length]) is None
