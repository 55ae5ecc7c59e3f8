"""Kafka for tests: the broker of `make services`, and private clusters to kill nodes of."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from infra.services._brokers import MEMORY, SOON, Broker, Node, kit, new_cluster, seen

LEAVES_SOCKETS = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
"""For tests with kafka-python: closed while it still connects, it leaves the socket open."""
KAFKA_VARIABLE = "AORIST_TEST_KAFKA_BOOTSTRAP"
NO_KAFKA = f"{KAFKA_VARIABLE} is not set: run `make services`, or the whole suite by `make test`"
NODES = 3
SECONDS = 30


def bootstrap() -> str:
    """Return where the broker of `make services` is."""
    found = os.environ.get(KAFKA_VARIABLE)
    if not found:
        raise RuntimeError(NO_KAFKA)
    return found


def new_topic(at: str, partitions: int = 1) -> str:
    """Make a topic of a name of its own and return the name."""
    name = f"test-{uuid4().hex[:12]}"
    make_topic(at, name, partitions)
    return name


def make_topic(at: str, name: str, partitions: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=at)
    try:
        admin.create_topics([NewTopic(name, partitions, -1)])
    finally:
        admin.close()


@contextmanager
def producer(at: str, **options: object) -> Iterator[KafkaProducer]:
    made = KafkaProducer(bootstrap_servers=at, acks="all", **options)
    try:
        yield made
    finally:
        made.close(timeout=SECONDS)


def values(at: str, topic: str) -> list[bytes]:
    """Return the committed values of a topic's only partition, to its end."""
    consumer = KafkaConsumer(bootstrap_servers=at, isolation_level="read_committed")
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        found: list[bytes] = []
        until = time.monotonic() + SECONDS
        while consumer.position(partition) < end:
            assert time.monotonic() < until, f"only {len(found)} values in {SECONDS} s"
            for records in consumer.poll(timeout_ms=200).values():
                found += [record.value for record in records]
        return found
    finally:
        consumer.close()


def format(broker: Broker, cluster: str) -> None:
    """Make a broker's folder ready as Kafka's own program does, without starting a Java for it."""
    data = broker.folder / "data"
    data.mkdir(parents=True)
    known = {"version": 1, "cluster.id": cluster, "node.id": broker.node.id}
    known["directory.id"] = new_cluster()
    lines = [f"{name}={value}\n" for name, value in known.items()]
    (data / "meta.properties").write_text("".join(lines), encoding="utf-8")


class Cluster:
    """Three private brokers; each can be killed, paused and started again."""

    def __init__(self, folder: Path, size: int = NODES, **extra: str) -> None:
        self._name = new_cluster()
        nodes = tuple(Node.on_free_ports(number + 1) for number in range(size))
        settings = {name.replace("_", "."): value for name, value in extra.items()}
        program = kit()
        self.brokers = tuple(
            Broker(program, folder / f"broker-{node.id}", node, nodes, settings, (*MEMORY, *SOON))
            for node in nodes
        )
        for broker in self.brokers:
            format(broker, self._name)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def bootstrap(self) -> str:
        """Where the brokers are, for clients."""
        return ",".join(f"127.0.0.1:{broker.node.port}" for broker in self.brokers)

    def start(self, *numbers: int) -> None:
        """Start the brokers of these numbers (1, 2, 3), or all, and wait until they are ready."""
        chosen = [self.brokers[number - 1] for number in numbers] or list(self.brokers)
        with ThreadPoolExecutor() as pool:
            launched = pool.map(lambda broker: broker.launch(self._name), chosen)
            self._processes |= {
                broker.node.id: process for broker, process in zip(chosen, launched, strict=True)
            }
        for broker in chosen:
            broker.wait(self._processes[broker.node.id], len(self._processes))

    def kill(self, number: int) -> None:
        """Kill a broker as a loss of power would: it can say nothing to anybody."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def fill(self, number: int) -> None:
        """Let a broker's disk be full: no file of it can grow. It ends itself, as Kafka does."""
        process = self._processes.pop(number)
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        try:
            process.wait(SECONDS)
        finally:
            process.kill()

    def pause(self, number: int) -> None:
        """Let a broker stand still, its connections open."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Let it go on."""
        self._processes[number].send_signal(signal.SIGCONT)

    def seen_by(self, number: int) -> int:
        """Return how many brokers the one of this number believes to be there."""
        return seen(self.brokers[number - 1].node.port)

    def close(self) -> None:
        """End them all."""
        for number in list(self._processes):
            self.kill(number)


@contextmanager
def cluster(
    folder: Path, size: int = NODES, *, start: bool = True, **extra: str
) -> Iterator[Cluster]:
    """Run a private cluster and end it; `extra` are settings, `a_b` for `a.b`."""
    made = Cluster(folder, size, **extra)
    try:
        if start:
            made.start()
        yield made
    finally:
        made.close()


def wait_until(holds: Callable[[], bool], what: str, seconds: int = SECONDS) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.05)
