"""A producer's life: what a chunk needs while brokers cannot be reached."""

import threading

import pytest

from infra.kafka import producing
from infra.kafka.encode import Message
from infra.kafka.producing import Producing
from tests.brokers import LEAVES_SOCKETS, bootstrap, values, wait_until
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
