"""What Kafka's client does not do by itself while brokers cannot be reached."""

import threading
from collections.abc import Callable

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError

from infra.kafka import producing
from infra.kafka.clients import made
from infra.kafka.encode import Message
from infra.kafka.producing import Producing
from infra.services._system import free_port
from tests.brokers import LEAVES_SOCKETS, bootstrap, values, wait_until
from tests.kafka.conftest import client_threads
from tests.kafka.proxy import proxy

pytestmark = LEAVES_SOCKETS


def is_connected(life: Producing) -> bool:
    connections = life._producer._sender._client._manager._conns
    return any(one.connected for one in list(connections.values()))


def test_a_chunk_whose_coordinator_was_away_for_a_moment_is_sent(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kafka-python loses the request that opens it, and spins until somebody gives up."""
    monkeypatch.setattr(producing, "CHUNK_S", 10.0)
    with proxy() as way:
        life = Producing({"bootstrap_servers": bootstrap(), "proxy_url": way.url}, prefix, 1)
        try:
            life.send([Message(b"key", b"first", [], 1)], 1)
            way.cut()
            wait_until(lambda: not is_connected(life), "it has noticed")
            chunk = [Message(b"key", b"second", [], 2)]
            sending = threading.Thread(target=life.send, args=(chunk, 2))
            sending.start()
            wait_until(lambda: way.refused > 1, "it has tried to reach the coordinator")
            way.mend()
            sending.join()
            assert life.position == 2
        finally:
            life.discard()
    assert values(bootstrap(), prefix) == [b"first", b"second"]


@pytest.mark.parametrize("kind", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
def test_a_client_that_finds_no_broker_leaves_no_thread_behind(kind: Callable[..., object]) -> None:
    """A relay makes a new one again and again while Kafka is away."""
    with pytest.raises(KafkaTimeoutError):
        made(kind, bootstrap_servers=f"127.0.0.1:{free_port()}", bootstrap_timeout_ms=100)
    assert client_threads() == []
