"""Clients that are not ours read the mirror: Confluent's, with the registry we serve, and kcat."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from confluent_kafka import Consumer, Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from domain import Envelope, Event
from infra.log.codec import Codec
from infra.schemas.cloudevents import headers_of
from infra.schemas.registry import Registry
from infra.schemas.versions import committed
from infra.services._kcat import kcat
from infra.settings import Settings
from infra.veil import veiled
from tests.api.test_server import serving
from tests.brokers import bootstrap
from tests.kafka.mirrored import FACTS
from tests.scenario import Scenario
from tests.source import CONTEXTS, ROOT

SECONDS = 60
CODEC = Codec(FACTS)
SOME = [*committed()][:3]
Found = dict[tuple[str, int], tuple[Message, Any]]


@pytest.fixture
def relay(settings: Settings, prefix: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program itself."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "--database-url", settings.database_url, "relay"],
        cwd=ROOT,
        env={
            **os.environ,
            "AORIST_KAFKA_BOOTSTRAP": bootstrap(),
            "AORIST_KAFKA_PREFIX": prefix,
            "AORIST_KAFKA_PARTITIONS": "2",
            "AORIST_RELAY_PORT": "0",
        },
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.terminate()
        assert process.stdout
        process.stdout.close()
        try:
            ended = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert ended == 0, "it stops when it is told to"


def with_every_fact(world: Scenario) -> list[tuple[Event, Envelope]]:
    """Put every example of every fact into the logs; return what is there."""
    for number, version in enumerate(committed()):
        facts = [CODEC.decode_as[version.subject](bytes(one.json)) for one in version.examples]
        world.run(world._append(UUID(int=number + 1), facts))
    return world.facts()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # clients do not see it
def test_every_field_of_every_fact_and_its_envelope_is_read(
    world: Scenario, relay: subprocess.Popen[bytes], prefix: str
) -> None:
    written = with_every_fact(world)
    assert relay.stdout
    health = re.search(r"http://\S+", (relay.stdout.readline() + relay.stdout.readline()).decode())
    assert health
    found: Found = {}

    async def served() -> None:
        async with serving(world, follow=False) as (http, _):
            url = str(http.base_url).rstrip("/")
            found.update(await asyncio.to_thread(consumed, prefix, url, len(written)))
            assert await asyncio.to_thread(given_ids, url) == [one.id for one in SOME]

    world.run(served())
    assert len(found) == len(written)
    assert httpx.get(health[0]).json() == {"ready": True, "problems": []}
    for fact, at in written:
        message, value = found[at.context, at.position]
        assert json.loads(msgspec.json.encode(value)) == (
            json.loads(msgspec.json.encode(veiled(fact))) or {"happened": True}
        )
        assert message.key() == str(at.stream).encode()
        assert message.headers() == headers_of(at)
        assert message.timestamp()[1] == int(at.time.timestamp() * 1000)
    by_kcat = [line for context in CONTEXTS for line in printed(f"{prefix}.{context}")]
    assert sorted(by_kcat) == sorted(line_of(at) for _, at in written)


def given_ids(url: str) -> list[int]:
    """Ask the registry that we serve as one of others is asked; return the ids that it gives."""
    registry = Registry(url)
    ids = [registry.id_of(one) for one in SOME]
    assert [registry.schema(id) for id in ids] == [one.schema for one in SOME]
    return ids


def printed(topic: str) -> list[str]:
    """Return what kcat prints of the committed messages of a topic."""
    told = ["-b", bootstrap(), "-X", "isolation.level=read_committed", "-f", "%k %T %h\n"]
    done = subprocess.run(
        [kcat(), "-C", "-t", topic, "-o", "beginning", "-e", "-q", *told],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return done.stdout.splitlines()


def line_of(at: Envelope) -> str:
    """Return key, time and headers as kcat prints them."""
    headers = ",".join(f"{name}={value.decode()}" for name, value in headers_of(at))
    return f"{at.stream} {int(at.time.timestamp() * 1000)} {headers}"


def consumed(prefix: str, registry: str, count: int) -> Found:
    """Read so many messages, by context and position."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap(),
            "group.id": prefix,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 500,
        }
    )
    found: Found = {}
    with SchemaRegistryClient({"url": registry}) as client:
        read = AvroDeserializer(client)
        consumer.subscribe([f"^{prefix}\\.[a-z]+$"])
        until = time.monotonic() + SECONDS
        while len(found) < count:
            assert time.monotonic() < until, f"{len(found)} of {count} after {SECONDS} s"
            message = consumer.poll(0.2)
            if message is None or message.error():
                continue
            topic = message.topic() or ""
            value = read(message.value(), SerializationContext(topic, MessageField.VALUE))
            position = int(dict(message.headers() or ())["ce_position"] or 0)
            place = topic.removeprefix(f"{prefix}."), position
            assert place not in found, f"{place} is there twice"
            found[place] = message, value
    consumer.close()
    return found
