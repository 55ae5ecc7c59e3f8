"""The relay: facts a second to Kafka, and its delay behind what another process commits.

The reference is kafka-python with the relay's settings, chunks and transactions, or without
transactions, on the same broker; it sends the same messages, ready in memory.

The delay counts from the time that the log gives a fact, just before its commit, to the moment at
which a consumer of committed messages has it.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from infra.kafka.encode import Message
from infra.kafka.parts import Mirror, mirrors
from infra.kafka.producing import TUNING
from infra.kafka.relay import MAX_CHUNK, Relay
from infra.kafka.topics import Connection, ensure, existing, progress_of
from tests.bench.bench import Bench
from tests.bench.dispatch import over
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.ours import CONTEXT, TELLER, Ours, accounts, deposit, opened
from tests.bench.serving import Client, api
from tests.brokers import bootstrap
from tests.source import ROOT

RELAY, DELAY = "a relay", "a relay's delay"
IN_TRANSACTIONS, PLAIN = "kafka-python", "kafka-python, no transactions"
ACCOUNTS = 1_000
RATE = 500
"""Commands a second while the delay is measured."""
PARTITIONS = 6
POLL_S = 0.01
MAX_S = 120.0
CE_TIME = "ce_time"


def _names() -> str:
    return f"bench-{uuid4().hex[:12]}"


def _fill(ours: Ours, facts: int) -> None:
    made = accounts(ours, min(ACCOUNTS, facts // 10))
    next_account = over(made)
    deposits = facts // 2 - len(made)  # an account's opening is two facts as well
    ours.times(lambda: ours.system.dispatch(deposit(next_account()), TELLER), deposits)


@contextmanager
def _mirror(ours: Ours, prefix: str) -> Iterator[Mirror]:
    """Yield the mirror of the log under names of its own; its topics are deleted at the end."""
    told = {"kafka_bootstrap": bootstrap(), "kafka_prefix": prefix, "kafka_partitions": PARTITIONS}
    settings = ours.system.settings
    ours.system.settings = settings.model_copy(update=told)
    try:
        (mirror,) = mirrors(ours.system)
        yield mirror
    finally:
        ours.system.settings = settings
        _delete(mirror.topic)


def _delete(topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap())
    try:
        names = [name for name in (topic, progress_of(topic)) if existing(_connection(), name)]
        admin.delete_topics(names)
    finally:
        admin.close()


def _connection() -> Connection:
    return {"bootstrap_servers": bootstrap()}


async def _relay(ours: Ours, mirror: Mirror) -> tuple[int, float]:
    """Mirror the whole log; returns the facts and the seconds since the first were sent."""
    begun: list[float] = []

    def watch(point: str) -> None:
        if point == "begun" and not begun:
            begun.append(time.perf_counter())

    relay = Relay(mirror, ours.system.bells[CONTEXT], watch=watch)
    head = await mirror.head()
    running = asyncio.create_task(relay.run(POLL_S))
    try:
        async with asyncio.timeout(MAX_S):
            while relay.position < head:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(POLL_S)
        return head, time.perf_counter() - begun[0]
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def _send(messages: Sequence[Message], *, transactions: bool) -> Measures:
    topic = f"{_names()}.{CONTEXT}"
    ensure(_connection(), topic, PARTITIONS)
    tuning = {**TUNING, **({"transactional_id": topic} if transactions else {})}
    if not transactions:
        del tuning["transaction_timeout_ms"]
    producer = KafkaProducer(**_connection(), **tuning)
    try:
        if transactions:
            producer.init_transactions()
        started = time.perf_counter()
        for begin in range(0, len(messages), MAX_CHUNK):
            if transactions:
                producer.begin_transaction()
            for one in messages[begin : begin + MAX_CHUNK]:
                producer.send(topic, one.value, one.key, one.headers, timestamp_ms=one.time_ms)
            if transactions:
                producer.commit_transaction()
        producer.flush(MAX_S)
        seconds = time.perf_counter() - started
    finally:
        producer.close()
    _delete(topic)
    return {"rate": len(messages) / seconds, "done": len(messages)}


class Watching:
    """A consumer of committed messages that notes when it has each of them."""

    def __init__(self, topic: str) -> None:
        self.seen: list[tuple[float, str]] = []
        self._topic = topic
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watching":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        consumer = KafkaConsumer(
            **_connection(), isolation_level="read_committed", enable_auto_commit=False
        )
        partitions = [TopicPartition(self._topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while not self._over.is_set():
            found = consumer.poll(timeout_ms=100)
            now = time.time()
            for records in found.values():
                self.seen += [(now, dict(one.headers)[CE_TIME].decode()) for one in records]
        consumer.close()

    def wait_for(self, number: int) -> None:
        """Wait until it has so many. Raises `Broken`."""
        until = time.monotonic() + MAX_S
        while len(self.seen) < number:
            if time.monotonic() > until:
                raise Broken(f"the consumer has {len(self.seen)} of {number} messages")
            time.sleep(POLL_S)


@contextmanager
def _program(url: str, prefix: str) -> Iterator[None]:
    """Run `aorist relay`."""
    environment = {
        "AORIST_DATABASE_URL": url,
        "AORIST_KAFKA_BOOTSTRAP": bootstrap(),
        "AORIST_KAFKA_PREFIX": prefix,
        "AORIST_LOG_FORMAT": "json",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "relay", "--context", CONTEXT],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(MAX_S)


def _live(client: Client, url: str, seconds: float, before: int) -> tuple[Measures, int]:
    """Return the delays of what is committed for so many seconds, and the facts in the log then."""
    prefix = _names()
    topic = f"{prefix}.{CONTEXT}"
    ensure(_connection(), topic, PARTITIONS)
    with _program(url, prefix), Watching(topic) as watching:
        watching.wait_for(before)
        sent = client.finish(client.start(seconds=seconds, rate=RATE), seconds)
        after = before + 2 * sent["done"]  # a deposit is two facts
        watching.wait_for(after)
        seen = watching.seen[before:]
    _delete(topic)
    if len(seen) != after - before:
        raise Broken(f"the consumer got {len(seen)} messages for {after - before} facts")
    delays = sorted((now - datetime.fromisoformat(at).timestamp()) * 1000 for now, at in seen)
    parts = statistics.quantiles(delays, n=100, method="inclusive")
    measured = {"ms": parts[49], "p95_ms": parts[94], "p99_ms": parts[98], "max_ms": delays[-1]}
    return measured, after


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    facts = bench.size("relayed_facts", 50_000, 2_000)
    bench.note("relay_commands_a_second", RATE)
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        if names - {DELAY}:
            url = stack.enter_context(bench.database())
            with opened(url) as ours:
                _fill(ours, facts)
                with _mirror(ours, _names()) as mirror:
                    messages = ours.run(_messages(mirror))
            contenders |= {
                RELAY: lambda _: _all(url),
                IN_TRANSACTIONS: lambda _: _send(messages, transactions=True),
                PLAIN: lambda _: _send(messages, transactions=False),
            }
        if DELAY in names:
            contenders[DELAY] = _delay(stack, stack.enter_context(bench.database()))
        yield contenders


def _all(url: str) -> Measures:
    with opened(url) as ours, _mirror(ours, _names()) as mirror:
        passed, seconds = ours.run(_relay(ours, mirror))
    return {"rate": passed / seconds, "passed": passed}


async def _messages(mirror: Mirror) -> list[Message]:
    """Return the messages of a whole log."""
    found: list[Message] = []
    while facts := await mirror.tail.read(len(found), MAX_CHUNK):
        found += [mirror.encoder(fact, at) for fact, at in facts]
    return found


def _delay(stack: ExitStack, url: str) -> Callable[[float], Measures]:
    with opened(url) as ours:
        made = accounts(ours, ACCOUNTS // 10)
        head = ours.run(ours.system.logs[CONTEXT].store.head())
    client = Client([stack.enter_context(api(url))], made)
    sent = client.once_each()
    facts = [head + 2 * sent["done"]]

    def live(seconds: float) -> Measures:
        measured, after = _live(client, url, seconds, facts[-1])
        facts.append(after)
        return measured

    return live


GROUP = Group(
    figures=(
        Figure(name="relay", ours=RELAY, reference=(IN_TRANSACTIONS,), at_least=0.6),
        Figure(name="relay-plain", ours=RELAY, reference=(PLAIN,)),
        Figure(name="relay-delay", ours=DELAY, measure="ms", unit=" ms", at_most=50),
        Figure(name="relay-delay-p99", ours=DELAY, measure="p99_ms", unit=" ms", at_most=250),
    ),
    open=_open,
)
