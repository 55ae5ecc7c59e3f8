"""The topics of the mirror: one for the facts of a context, one for how far its relay is."""

import time
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from infra.kafka.clients import made

FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
NEWEST = {"cleanup.policy": "compact"}
ONE = 1
"""Partitions of a progress topic: its last record is the newest."""
READ_S = 30.0
PATIENCE = {
    # Clients ask any broker, and one that stands still too.
    "request_timeout_ms": 5_000,
    # So that no broker is said to be there soon after it is so, and that it is back as well.
    "bootstrap_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 1_000,
}
"""How long a broker may be silent, and be away, before that is a failure."""
POLL_MS = 100

Connection = dict[str, Any]
"""What kafka-python is told about the way to the brokers: `bootstrap_servers` and the like."""

UNREACHABLE = (KafkaError, TimeoutError)
"""What is raised when brokers do not answer, or refuse."""


class Misconfigured(Exception):
    """A topic is not as the mirror needs it; the message says what to do."""


def progress_of(topic: str) -> str:
    """Return the topic that tells how far the relay of `topic` is."""
    return f"{topic}.progress"


def ensure(connection: Connection, topic: str, partitions: int) -> None:
    """Make the topics that are missing. Raises `Misconfigured`.

    The number of partitions is that of the first time: another one would break the order of
    streams. Replication is what the brokers have as their default.
    """
    wanted = [
        NewTopic(topic, partitions, -1, topic_configs=FOR_EVER),
        NewTopic(progress_of(topic), ONE, -1, topic_configs=NEWEST),
    ]
    admin = made(KafkaAdminClient, **connection, **PATIENCE)
    try:
        there = {one["name"]: one for one in admin.describe_topics([new.name for new in wanted])}
        for new in wanted:
            if there[new.name]["error_code"]:
                with suppress(TopicAlreadyExistsError):  # another relay was quicker
                    admin.create_topics([new])
            elif new.name != topic and len(there[new.name]["partitions"]) != ONE:
                raise Misconfigured(
                    f"topic {new.name} must have one partition; delete it, and the mirror with it"
                )
        # Not the new ones: a broker knows nothing of them for a moment.
        _require_settings(admin, [new for new in wanted if not there[new.name]["error_code"]])
    finally:
        admin.close()


def _require_settings(admin: KafkaAdminClient, wanted: list[NewTopic]) -> None:
    """Refuse topics that lose facts: what is gone from them is not sent again."""
    if not wanted:
        return
    topics = [ConfigResource(ConfigResourceType.TOPIC, new.name) for new in wanted]
    found = admin.describe_configs(topics, config_filter="all")["topic"]
    for new in wanted:
        for name, value in new.topic_configs.items():
            if (is_now := found[new.name][name]["value"]) != value:
                raise Misconfigured(
                    f"topic {new.name} has {name}={is_now} and would lose facts; set it to {value}"
                )


def existing(connection: Connection, topic: str) -> bool:
    """Say whether a topic is there."""
    admin = made(KafkaAdminClient, **connection, **PATIENCE)
    try:
        return not admin.describe_topics([topic])[0]["error_code"]
    finally:
        admin.close()


def remove(connection: Connection, topic: str) -> None:
    """Delete the topics of a mirror, and wait until they are gone."""
    names = [topic, progress_of(topic)]
    admin = made(KafkaAdminClient, **connection, **PATIENCE)
    try:
        until = time.monotonic() + READ_S
        while there := [t["name"] for t in admin.describe_topics(names) if not t["error_code"]]:
            if time.monotonic() > until:
                raise TimeoutError(f"{', '.join(there)} cannot be deleted")
            with suppress(UnknownTopicOrPartitionError):
                admin.delete_topics(there)
            time.sleep(POLL_MS / 1000)
    finally:
        admin.close()


def position_in(connection: Connection, topic: str) -> int:
    """Return how far the relay of `topic` is, by its last committed transaction; 0 at first."""
    partition = TopicPartition(progress_of(topic), 0)
    consumer = made(
        KafkaConsumer,
        **connection,
        **PATIENCE,
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    try:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        position, until = 0, time.monotonic() + READ_S
        while consumer.position(partition) < end:
            if time.monotonic() > until:
                raise TimeoutError(f"topic {partition.topic} gives no records for {READ_S:.0f} s")
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                position = int(records[-1].value)
        return position
    finally:
        consumer.close()
