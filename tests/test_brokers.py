"""The brokers that other tests rest on: real ones, and what they keep when one of three is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

from infra.services._brokers import MEMORY, SOON, Broker, Node, kit, new_cluster
from tests.brokers import (
    LEAVES_SOCKETS,
    Cluster,
    bootstrap,
    cluster,
    new_topic,
    producer,
    values,
    wait_until,
)

pytestmark = LEAVES_SOCKETS
REQUEST_MS = 3_000
"""How long a request to a broker that stands still is waited for: clients take 30 s by default."""


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path, broker_session_timeout_ms="3000") as running:
        yield running


def test_what_is_sent_to_the_broker_is_there_to_be_read() -> None:
    topic = new_topic(bootstrap())
    with producer(bootstrap()) as sending:
        for number in range(100):
            sending.send(topic, str(number).encode())
        sending.flush(20)
    assert values(bootstrap(), topic) == [str(number).encode() for number in range(100)]


def test_what_a_transaction_gave_up_is_not_read() -> None:
    topic = new_topic(bootstrap())
    with producer(bootstrap(), transactional_id=topic) as sending:
        sending.init_transactions()
        for word, keep in ((b"given up", False), (b"kept", True)):
            sending.begin_transaction()
            sending.send(topic, word).get(timeout=20)
            (sending.commit_transaction if keep else sending.abort_transaction)()
    assert values(bootstrap(), topic) == [b"kept"]


def test_no_topic_is_made_in_passing() -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap())
    (told,) = admin.describe_topics(["nobody-made-this"])
    admin.close()
    assert told["error_code"] == UnknownTopicOrPartitionError.errno


def test_two_of_three_brokers_keep_and_take_what_is_sent(three: Cluster) -> None:
    topic = new_topic(three.bootstrap)
    with producer(three.bootstrap, request_timeout_ms=REQUEST_MS) as sending:
        sending.send(topic, b"before").get(timeout=20)
        three.kill(1)
        sending.send(topic, b"during").get(timeout=20)
        wait_until(lambda: three.seen_by(2) == 2, "the loss is noticed")
        three.start(1)
        wait_until(lambda: three.seen_by(2) == 3, "it is back")
        three.pause(2)
        sending.send(topic, b"after").get(timeout=20)
        three.resume(2)
    assert values(three.bootstrap, topic) == [b"before", b"during", b"after"]


def test_a_cluster_may_have_any_name(tmp_path: Path) -> None:
    node = Node.on_free_ports(1)
    broker = Broker(kit(), tmp_path, node, (node,), options=(*MEMORY, SOON))
    process = broker.launch("-" + new_cluster()[1:])  # no option, though it looks like one
    try:
        broker.wait(process)
    finally:
        process.kill()
        process.wait()
