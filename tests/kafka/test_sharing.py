"""Who runs which reader; and what happens when that cannot be told any more."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.kafka import sharing
from infra.kafka.sharing import Shares
from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, bootstrap, new_topic, wait_until
from tests.cli.program import Program

pytestmark = LEAVES_SOCKETS
READER = "banking.account"


@contextmanager
def shares(group: str, topic: str) -> Iterator[Shares]:
    made = Shares({"bootstrap_servers": bootstrap()}, group, [topic])
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_a_reader_falls_to_one_of_two_and_to_the_other_when_that_one_goes() -> None:
    topic = new_topic(bootstrap(), partitions=2)
    names = [f"reader-{number}" for number in range(20)]
    with shares(topic, topic) as first:
        wait_until(lambda: all(first.has(name, topic) for name in names), "it is alone")
        with shares(topic, topic) as second:
            wait_until(
                lambda: (
                    any(second.has(name, topic) for name in names)
                    and all(first.has(name, topic) != second.has(name, topic) for name in names)
                ),
                "each falls to one",
            )
        wait_until(lambda: all(first.has(name, topic) for name in names), "it is alone again")
        assert not second.has(READER, topic)


def test_one_that_fails_for_an_unknown_reason_gives_its_share_up_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = new_topic(bootstrap())
    with shares(topic, topic) as mine:
        wait_until(lambda: mine.has(READER, topic), "it has a share")
        monkeypatch.setattr(sharing, "POLL_MS", "what no consumer understands")
        why = asyncio.run(asyncio.wait_for(mine.ended(), 20))
        assert "readers are not shared any more, start it again: TypeError: " in why
        assert not mine.has(READER, topic)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_worker_whose_readers_are_not_shared_any_more_ends_with_an_error(
    settings: Settings, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "POLL_MS", "what no consumer understands")
    env = {"AORIST_KAFKA_BOOTSTRAP": bootstrap(), "AORIST_KAFKA_PREFIX": prefix}
    words = ("work", "--from", "kafka", "--context", "banking")
    ended = Program(settings.database_url, tmp_path)(*words, env=env, code=1)
    assert "aorist: readers are not shared any more, start it again: TypeError: " in ended.err


def test_one_that_is_told_to_end_has_failed_for_no_reason() -> None:
    topic = new_topic(bootstrap())
    with shares(topic, topic) as mine:
        wait_until(lambda: mine.has(READER, topic), "it has a share")
    assert asyncio.run(mine.ended()) == ""
