"""The relay while Kafka is slow or set up wrongly: commands go on, memory is bounded."""

from uuid import UUID

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from infra.kafka import relay as relaying
from infra.kafka.relay import MAX_CHUNK
from infra.kafka.topics import ensure
from infra.log import tail
from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, bootstrap, wait_until
from tests.kafka.beside import Beside, beside
from tests.kafka.mirrored import faults, mirrored
from tests.kafka.proxy import proxy
from tests.kafka.test_relay import FACTS_OF_EACH, HISTORY, TOTAL
from tests.kafka.test_standing import FAILING, LAG, impatient
from tests.kafka.test_verify import admin
from tests.scenario import Scenario

__all__ = ["impatient"]  # the fixture
pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["sqlite"], indirect=True)]
CHUNK = 20
BYTES_A_SECOND = 100_000


def configure(topic: str, name: str, value: str) -> None:
    admin("alter_configs", [ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])


def is_mirrored(banking: Scenario, prefix: str) -> bool:
    facts = [fact for fact, _ in banking.facts()]
    return faults(mirrored(bootstrap(), f"{prefix}.banking"), facts) == []


def waits(told: Beside, *words: str) -> bool:
    """Whether it says that it cannot go on, in these words, and how far behind it is."""
    _, problems = told.ready()
    says = any(all(word in problem for word in words) for problem in problems)
    return says and told.figure(FAILING) == 1 and told.figure(LAG) == FACTS_OF_EACH


def test_a_slow_broker_slows_it_and_nothing_is_given_up(
    banking: Scenario, settings: Settings, prefix: str
) -> None:
    with proxy() as way, beside(settings, prefix, connection={"proxy_url": way.url}) as told:
        wait_until(lambda: told.ready() == (200, []), "it has begun")
        way.slow(BYTES_A_SECOND)
        banking.given(HISTORY)
        wait_until(lambda: told.figure(LAG) == 0, "all is sent, drop by drop")
        assert told.relay.failures == 0
    assert is_mirrored(banking, prefix)


def test_while_kafka_stands_still_no_more_than_two_chunks_are_read(
    banking: Scenario, settings: Settings, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MAX_KEPT", CHUNK)
    running: list[Beside] = []
    ahead: list[int] = []
    kept: list[int] = []

    def watch(point: str) -> None:
        if point == "sent" and running:
            facts = running[0].tail._facts
            kept.append(len(facts))
            ahead.append(facts[-1][1].position - running[0].relay.position)

    with proxy() as way:
        way_there = {"proxy_url": way.url}
        with beside(settings, prefix, connection=way_there, chunk=CHUNK, watch=watch) as told:
            running.append(told)
            wait_until(lambda: told.ready() == (200, []), "it has begun")
            way.stall()
            banking.given(HISTORY)
            wait_until(lambda: told.relay.failures > 1, "it has given a chunk up, and again")
            assert told.relay.position == 0
            assert told.tail._facts[-1][1].position == 2 * CHUNK, "no fact behind them was read"
            way.mend()
            wait_until(lambda: told.relay.position == TOTAL, "it has caught up")
    assert max(ahead) == 2 * CHUNK
    assert max(kept) <= 2 * tail.MAX_KEPT
    assert CHUNK < MAX_CHUNK
    assert is_mirrored(banking, prefix)


@pytest.mark.parametrize(
    ("name", "wrong", "right", "words"),
    [
        ("retention.ms", "3600000", "-1", ("retention.ms=3600000", "set it to -1")),
        ("max.message.bytes", "100", "1048588", ("MessageSizeTooLarge",)),
    ],
)
def test_a_topic_that_is_set_up_wrongly_is_named_and_it_goes_on_when_that_is_right(
    banking: Scenario,
    settings: Settings,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    wrong: str,
    right: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setattr(relaying, "LOOK_AGAIN_S", 0.0)
    topic = f"{prefix}.banking"
    ensure({"bootstrap_servers": bootstrap()}, topic, 2)
    with beside(settings, prefix) as told:
        wait_until(lambda: told.ready() == (200, []), "it has begun")
        configure(topic, name, wrong)
        wait_until(lambda: told.figure(FAILING) == 1 or name[0] == "m", "it has seen that")
        banking.given({UUID(int=1): HISTORY[UUID(int=1)]})
        wait_until(lambda: waits(told, *words), "it waits, and commands go on")
        configure(topic, name, right)
        wait_until(lambda: told.ready() == (200, []), "it goes on")
        wait_until(lambda: told.figure(LAG) == 0, "it has caught up")
    assert is_mirrored(banking, prefix)
