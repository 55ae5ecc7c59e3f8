"""`aorist mirror verify`: what differs is named, and repaired."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kafka import KafkaAdminClient, TopicPartition

from infra.kafka.topics import progress_of
from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, bootstrap, producer
from tests.cli.program import Program
from tests.kafka.mirrored import faults, mirrored
from tests.kafka.test_relay import FACTS_OF_EACH, HISTORY, TOTAL
from tests.scenario import Scenario

pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["sqlite"], indirect=True)]


class Mirror:
    """The mirror of a banking log, as the program sees it."""

    def __init__(self, banking: Scenario, program: Program, prefix: str) -> None:
        self.topic = f"{prefix}.banking"
        self._banking = banking
        self._program = program
        self._env = {"AORIST_KAFKA_BOOTSTRAP": bootstrap(), "AORIST_KAFKA_PREFIX": prefix}

    def verify(self, *words: str, code: int = 0) -> str:
        given = ("mirror", "verify", "--context", "banking", *words)
        return self._program(*given, env=self._env, code=code).out

    def is_equal(self) -> bool:
        facts = [fact for fact, _ in self._banking.facts()]
        return faults(mirrored(bootstrap(), self.topic), facts) == []

    def messages(self) -> list[tuple[int, UUID, int]]:
        return [(m.partition, m.stream, m.position) for m in mirrored(bootstrap(), self.topic)]


@pytest.fixture
def mirror(banking: Scenario, settings: Settings, prefix: str, tmp_path: Path) -> Mirror:
    """All facts of a history are mirrored."""
    banking.given(HISTORY)
    made = Mirror(banking, Program(settings.database_url, tmp_path), prefix)
    assert f"{TOTAL} facts are not there yet" in made.verify(code=1)
    assert f"{TOTAL} facts sent" in made.verify("--repair")
    return made


def admin(verb: str, *words: Any) -> None:
    client = KafkaAdminClient(bootstrap_servers=bootstrap())
    try:
        getattr(client, verb)(*words)
    finally:
        client.close()


def send(topic: str, *records: tuple[bytes | None, bytes, list[tuple[str, bytes]]]) -> None:
    with producer(bootstrap()) as sending:
        for key, value, headers in records:
            sending.send(topic, value, key, headers).get(timeout=20)


def test_an_equal_mirror_is_equal_and_one_that_is_behind_is_not(
    mirror: Mirror, banking: Scenario
) -> None:
    assert f"{mirror.topic}: {TOTAL} facts are equal" in mirror.verify()
    assert mirror.is_equal()
    before = mirror.messages()
    banking.given({UUID(int=77): HISTORY[UUID(int=1)]})
    assert f"{FACTS_OF_EACH} facts are not there yet" in mirror.verify(code=1)
    assert f"{FACTS_OF_EACH} facts sent" in mirror.verify("--repair")
    assert mirror.is_equal()
    assert set(before) < set(mirror.messages())


def test_a_topic_that_was_deleted_is_made_again(mirror: Mirror) -> None:
    admin("delete_topics", [mirror.topic])
    assert "position 1 (banking.account.opened) is missing" in mirror.verify(code=1)
    assert f"{TOTAL} facts sent" in mirror.verify("--repair")
    assert mirror.is_equal()


def test_facts_that_are_missing_in_front_are_named_and_sent_in_their_order(mirror: Mirror) -> None:
    (partition, _, _), *_ = mirror.messages()
    lost = min(position for of, _, position in mirror.messages() if of == partition)
    admin("delete_records", {TopicPartition(mirror.topic, partition): 5})
    assert f"FAIL {mirror.topic}: position {lost} (" in mirror.verify(code=1)
    assert f"{TOTAL} facts sent" in mirror.verify("--repair")
    assert mirror.is_equal()


def test_when_the_end_alone_is_missing_it_alone_is_sent(mirror: Mirror, banking: Scenario) -> None:
    banking.given({UUID(int=77): HISTORY[UUID(int=1)]})
    # As if the brokers had lost what they had acknowledged.
    send(progress_of(mirror.topic), (mirror.topic.encode(), b"%d" % (TOTAL + FACTS_OF_EACH), []))
    assert f"position {TOTAL + 1} (banking.account.opened) is missing" in mirror.verify(code=1)
    assert f"{FACTS_OF_EACH} facts sent" in mirror.verify("--repair")
    assert mirror.is_equal()


def test_what_is_there_twice_or_is_nobodys_is_named_and_removed(mirror: Mirror) -> None:
    doubled = [("ce_position", b"3")]
    send(mirror.topic, (b"x", b"", doubled))
    assert "position 3 is there 2 times: partition" in mirror.verify(code=1)
    assert "facts are equal" in mirror.verify("--repair")
    send(mirror.topic, (None, b"anything", []))
    assert "no relay has written that" in mirror.verify(code=1)
    assert "facts are equal" in mirror.verify("--repair")
    assert mirror.is_equal()


def test_a_relay_that_forgot_where_it_is_is_named(mirror: Mirror) -> None:
    send(progress_of(mirror.topic), (mirror.topic.encode(), b"7", []))
    told = f"there are messages up to position {TOTAL}, and the relay is at 7"
    assert told in mirror.verify(code=1)
    assert "facts are equal" in mirror.verify("--repair")
    assert mirror.is_equal()
