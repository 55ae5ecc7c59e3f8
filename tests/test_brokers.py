"""The broker that other tests rest on is a real one; see `tests/kafka` for three that are lost."""

from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

from infra.services._brokers import Broker, Node, kit, new_cluster
from tests.brokers import LEAVES_SOCKETS, bootstrap, new_topic, producer, values

pytestmark = LEAVES_SOCKETS


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


def test_a_cluster_may_have_any_name(tmp_path: Path) -> None:
    node = Node.on_free_ports(1)
    name = "-" + new_cluster()[1:]  # no option, though it looks like one
    Broker(kit(), tmp_path, node, (node,)).prepare(name)
    assert f"cluster.id={name}" in (tmp_path / "data/meta.properties").read_text().splitlines()
