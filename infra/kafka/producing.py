"""One life of a transactional producer: fenced in, then a chunk a transaction, until it fails.

kafka-python can say that a transaction is committed when a part of it was lost, and wait without
end. So the result of every send is looked at before a commit, every wait has an end, and after any
failure the producer is thrown away: what is true then is asked from the brokers.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

from kafka import KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from infra.kafka.clients import made
from infra.kafka.encode import Message
from infra.kafka.topics import PATIENCE, Connection, ensure, position_in, progress_of

FENCING_S = 60
"""How long the brokers may take to end what an earlier relay had begun."""
CHUNK_S = 30.0
"""How long they may take to acknowledge a chunk, and again to commit it."""
NEVER_MS = 2**31 - 1
"""A batch that expired would be left out of its transaction, in silence."""
TUNING = {
    **PATIENCE,
    "acks": "all",
    "linger_ms": 5,
    "batch_size": 262_144,
    "retry_backoff_ms": 10,
    "delivery_timeout_ms": NEVER_MS,
    "max_block_ms": FENCING_S * 1000,
    "transaction_timeout_ms": 90_000,
}
POINTS = ("fenced", "resumed", "begun", "sent", "acknowledged", "committed")
"""Where tests end the process: between any two of them it may die."""

Watch = Callable[[str], None]


def nobody(_: str) -> None:
    """Watch nothing."""


def _keep_requests(producer: KafkaProducer) -> None:
    """Have a request sent later whose broker cannot be reached now.

    kafka-python forgets it: then its thread turns round and round, with a whole processor, until
    somebody gives the transaction up. Told that the broker is not ready, it keeps the request.
    """
    client = producer._sender._client
    reach = client.await_ready

    def is_ready(node: object, timeout_ms: float) -> bool:
        try:
            return bool(reach(node, timeout_ms=timeout_ms))
        except KafkaConnectionError:
            return False

    client.await_ready = is_ready


class Producing:
    """Sends to one topic. Used by one thread at a time; every call may raise, and ends its life."""

    def __init__(
        self, connection: Connection, topic: str, partitions: int, watch: Watch = nobody
    ) -> None:
        self.look = partial(ensure, connection, topic, partitions)
        """See to it that the topics are there, set up as they must be. Raises `Misconfigured`."""
        self.look()
        self._topic = topic
        self._watch = watch
        self._producer = made(
            KafkaProducer, **connection, **TUNING, transactional_id=f"{topic}.relay"
        )
        _keep_requests(self._producer)
        try:
            self._producer.init_transactions()
            watch("fenced")
            # Only now: nobody before us can move it any more.
            self.position = position_in(connection, topic)
            watch("resumed")
            self._producer.config["max_block_ms"] = int(CHUNK_S * 1000)  # what a send waits
        except BaseException:
            self.discard()
            raise

    def send(self, messages: Sequence[Message], position: int) -> None:
        """Send a chunk, and that the mirror is at `position` with it: all of it or nothing."""
        producer, topic = self._producer, self._topic
        producer.begin_transaction()
        self._watch("begun")
        sent = [
            producer.send(topic, one.value, one.key, one.headers, timestamp_ms=one.time_ms)
            for one in messages
        ]
        sent.append(producer.send(progress_of(topic), str(position).encode(), topic.encode()))
        self._watch("sent")
        until = time.monotonic() + CHUNK_S
        for future in sent:
            future.get(timeout=max(0.0, until - time.monotonic()))
        self._watch("acknowledged")
        self._commit()
        self._watch("committed")
        self.position = position

    def _commit(self) -> None:
        # As `commit_transaction()` does it, which would wait without end.
        result = self._producer._transaction_manager.begin_commit()
        self._producer._sender.wakeup()
        if not result.wait(timeout_ms=CHUNK_S * 1000):
            raise KafkaTimeoutError(f"no answer to a commit for {CHUNK_S:.0f} s")

    def discard(self) -> None:
        """Throw the producer away; an open transaction is left for the next one to end."""
        try:
            self._producer.close(timeout=0)
        except KafkaError:  # it waits for what is on its way before it closes
            self._producer._sender.force_close()
