"""A topic read in the order of its log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from kafka import TopicPartition

from domain import Envelope, Event
from infra.aside.parking import concerns_a_fact
from infra.kafka import merging
from infra.kafka.following import KafkaTail
from infra.kafka.merging import Decoder, Merged, MissingOnKafka
from infra.schemas.versions import committed
from tests.brokers import LEAVES_SOCKETS, bootstrap, wait_until
from tests.kafka.mirrored import FACTS
from tests.kafka.test_relay import TOTAL
from tests.kafka.test_verify import Mirror, admin, mirror, send
from tests.scenario import Scenario

__all__ = ["mirror"]  # the fixture
pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["sqlite"], indirect=True)]
DECODE = Decoder(dict(FACTS), committed())
Pairs = list[tuple[Event, Envelope]]


@contextmanager
def merged(topic: str, gap_s: float = 10.0) -> Iterator[Merged]:
    made = Merged({"bootstrap_servers": bootstrap()}, "banking", topic, DECODE, gap_s)
    try:
        yield made
    finally:
        made.close()


def reading(topic: Merged, into: Pairs, limit: int = 60) -> Callable[[], bool]:
    def all_read() -> bool:
        into.extend(topic.read(limit))
        return topic.position >= TOTAL

    return all_read


def test_facts_and_envelopes_are_those_of_the_log_from_any_position(
    mirror: Mirror, banking: Scenario
) -> None:
    facts = banking.facts()
    send(mirror.topic, (b"x", b"seen before", [("ce_position", b"3")]))  # it is dropped
    with merged(mirror.topic) as topic:
        found: Pairs = []
        wait_until(reading(topic, found), "all is read")
        assert found == facts
        assert topic.read(10) == ()
        for after in (0, 1, 99, TOTAL - 1):
            time_ms = int(facts[after - 1][1].time.timestamp() * 1000) if after else 0
            topic.seek(after, time_ms)
            rest: Pairs = []
            wait_until(reading(topic, rest), f"what is behind {after} is read")
            assert rest == facts[after:]


def test_readers_in_two_places_do_not_keep_each_other_from_reading(
    mirror: Mirror, banking: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "LOOK_S", 0.0)
    facts = banking.facts()
    system = banking.system
    tail = KafkaTail(
        system.logs["banking"].store,
        system.codec,
        system.tails["banking"],
        {"bootstrap_servers": bootstrap()},
        mirror.topic,
        DECODE,
    )
    places = [0, 200, 100]
    read = 0
    while places[0] < 50:
        for number, after in enumerate(places):
            tail._facts.clear()  # as if they were too far from each other to share
            found = banking.run(tail.read(after, 10))
            assert list(found) == facts[after : after + len(found)]
            assert found, f"nothing behind {after}"
            places[number] += len(found)
            read += 1
    assert read < TOTAL
    banking.run(tail.close())


def test_a_position_that_is_missing_is_told_and_nothing_is_skipped_or_parked(
    mirror: Mirror,
) -> None:
    (partition, _, _), *_ = mirror.messages()
    first = min(position for of, _, position in mirror.messages() if of == partition)
    admin("delete_records", {TopicPartition(mirror.topic, partition): 1})
    with merged(mirror.topic, gap_s=0.0) as topic:
        found: Pairs = []
        with pytest.raises(MissingOnKafka, match=f"position {first} of banking is not on") as told:
            wait_until(reading(topic, found), "it comes to the gap")
    assert len(found) == first - 1
    assert not concerns_a_fact(told.value)


def test_a_topic_that_is_not_there_is_told(prefix: str, banking: Scenario) -> None:
    with pytest.raises(MissingOnKafka, match="is not there; run aorist relay"), merged(prefix):
        pass
