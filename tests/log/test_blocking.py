"""A log in the hands of threads: shared transactions, exact bytes, errors, and its end."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    StoredEvent,
    Tracking,
)
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as some

from infra.log.factory import LogFactory
from infra.settings import Settings
from tests.source import ROOT
from tests.stores import STORES, Stores

THREADS = 16
STREAM = UUID(int=1)
NASTY = (
    b"",
    b" ",
    b"\x00",
    b'"\x00"',
    b'"\\u0000"',
    b'"\\ud800"',
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b'"\xed\xa0\x80"',
    b"NaN",
    b"[1e999]",
    b'{"a": 1,\n "a" : 2}\n',
    b"[" * 5_000 + b"]" * 5_000,
    b'"\xf0\x9f\x90\x88"',
    b"-0",
    b"'",
    b"1 2",
)
PROGRAM = """
from uuid import UUID
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
application = Application[UUID]()
application.save(Aggregate())
"""


def open_log(settings: Settings, **more: str) -> LogFactory:
    return LogFactory({"CONTEXT": "library", "DATABASE_URL": settings.database_url, **more})


@pytest.fixture
def log(settings: Settings) -> Iterator[LogFactory]:
    factory = open_log(settings)
    yield factory
    factory.close()


@pytest.fixture(scope="module", params=STORES)
def shared(request: pytest.FixtureRequest, all_stores: Stores) -> Iterator[LogFactory]:
    factory = open_log(all_stores.settings(request.param))
    yield factory
    factory.close()


def stored(version: int, state: bytes = b"{}", stream: UUID = STREAM) -> StoredEvent:
    return StoredEvent(stream, version, "topic", state)


def test_appends_of_many_threads_share_transactions(log):
    recorder = log.application_recorder()
    with ThreadPoolExecutor(THREADS) as threads:
        events = [[stored(1, stream=uuid4())] for _ in range(THREADS * 20)]
        positions = list(threads.map(recorder.insert_events, events))

    assert sorted(position for (position,) in positions) == list(range(1, len(events) + 1))
    opened = log.opened()
    receipts = opened.run(opened.store.receipts(limit=1_000))
    assert len({receipt.time for _, receipt in receipts}) < len(receipts) == len(events)


def test_one_position_is_processed_once_however_many_try(log):
    recorder = log.process_recorder()

    def process(stream: UUID) -> bool:
        try:
            recorder.insert_events([stored(1, stream=stream)], tracking=Tracking("upstream", 1))
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as threads:
        done = list(threads.map(process, [uuid4() for _ in range(THREADS)]))
    assert done.count(True) == recorder.max_notification_id() == 1


def test_applications_follow_another_one_each_for_itself(settings):
    first = open_log(settings, CONTEXT="library")
    recorders = []
    for name in ("one", "two"):
        first.env.name = name
        recorders.append(first.tracking_recorder())
    recorders[0].insert_tracking(Tracking("upstream", 5))
    assert [recorder.max_tracking_id("upstream") for recorder in recorders] == [5, None]
    first.close()


@pytest.fixture
def slow_polls(monkeypatch: pytest.MonkeyPatch) -> float:
    """Polling would take longer than the test allows; returns the seconds it may take."""
    monkeypatch.setenv("AORIST_READER_POLL_MS", "60000")
    return 30


def test_an_append_wakes_subscriptions_without_polling(slow_polls, settings):
    log, started = open_log(settings), time.monotonic()
    recorder = log.application_recorder()
    with recorder.subscribe() as subscription:
        for version in range(1, 4):
            recorder.insert_events([stored(version)])
            assert next(subscription).originator_version == version
    log.close()
    assert time.monotonic() - started < slow_polls


def test_postgres_tells_other_processes_of_an_append(slow_polls, all_stores):
    settings, heard = all_stores.settings("postgres"), threading.Event()
    ours, theirs = open_log(settings), open_log(settings)
    with ours.application_recorder().subscribe() as subscription:

        def hear() -> None:
            for _ in subscription:
                heard.set()

        waiting = threading.Thread(target=hear)
        waiting.start()
        for version in range(1, int(slow_polls / 0.1)):  # the first may come before it listens
            theirs.application_recorder().insert_events([stored(version)])
            if heard.wait(0.1):
                break
    waiting.join()
    ours.close()
    theirs.close()
    assert heard.is_set()


def test_every_state_comes_back_byte_for_byte(log):
    events = [stored(version, state) for version, state in enumerate(NASTY, 1)]
    log.application_recorder().insert_events(events)
    assert log.application_recorder().select_events(STREAM) == events
    snapshots = log.aggregate_recorder(purpose="snapshots")
    snapshots.insert_events(events)
    assert snapshots.select_events(STREAM) == events


@effort(max_examples=40, deadline=None)
@given(states=some.lists(some.binary() | some.text().map(json.dumps).map(str.encode), min_size=1))
def test_any_state_comes_back_byte_for_byte(shared, states):
    stream = uuid4()
    events = [stored(version, state, stream) for version, state in enumerate(states, 1)]
    recorder = shared.application_recorder()
    recorder.insert_events(events)
    assert recorder.select_events(stream) == events


def test_an_event_equals_another_one_by_its_values(log):
    recorder = log.application_recorder()
    recorder.insert_events([stored(1)])
    (found,), (notified,) = recorder.select_events(STREAM), recorder.select_notifications(1, 9)
    assert found == stored(1) != stored(2)
    assert hash(found) == hash(stored(1))
    assert {notified: "kept"}[notified] == "kept"
    assert notified != stored(1)
    assert found.at == notified.at


def test_ids_are_uuids(log):
    recorder = log.application_recorder()
    with pytest.raises(NotSupportedError, match="'one' is a str"):
        recorder.insert_events([StoredEvent("one", 1, "topic", b"{}")])
    with pytest.raises(NotSupportedError):
        recorder.select_events("one")


def test_a_value_that_no_store_takes_is_an_error_of_its_own(log):
    recorder = log.application_recorder()
    with pytest.raises(DataError):
        recorder.insert_events([StoredEvent(STREAM, 1, "\ud800", b"{}")])
    assert recorder.max_notification_id() is None


def test_a_closed_log_says_so(log):
    recorder = log.application_recorder()
    log.close()
    log.close()
    with pytest.raises(OperationalError, match="the library log is closed"):
        recorder.max_notification_id()


@pytest.mark.parametrize("name", ["", "Library", "a-b", "1st", "x" * 41])
def test_a_log_needs_a_name(settings, name):
    with pytest.raises(OSError, match="set one of CONTEXT to"):
        open_log(settings, CONTEXT=name)


def test_a_log_keeps_events_and_snapshots_only(log):
    with pytest.raises(NotImplementedError, match="'pictures'"):
        log.aggregate_recorder(purpose="pictures")


def test_a_recorder_of_the_wrong_kind_is_refused(log):
    log.env[log.PROCESS_RECORDER_TOPIC] = "infra.log.recorder:LogApplicationRecorder"
    with pytest.raises(TypeError, match="no LogProcessRecorder"):
        log.process_recorder()


def test_a_database_that_is_away_is_an_operational_error():
    with pytest.raises(OperationalError):
        LogFactory(
            {"CONTEXT": "library", "DATABASE_URL": "postgresql://aorist@127.0.0.1:1/none"}
        ).application_recorder()


def test_a_program_that_forgets_to_close_ends_nevertheless(settings):
    env = {
        **os.environ,
        "PERSISTENCE_MODULE": "infra.log.factory",
        "CONTEXT": "library",
        "DATABASE_URL": settings.database_url,
    }
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, cwd=ROOT, env=env, timeout=30)
    log = open_log(settings)
    assert log.application_recorder().max_notification_id() == 1
    log.close()
