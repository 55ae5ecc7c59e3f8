"""What a message consists of, and what is refused before anything is sent."""

import re
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from kafka import KafkaAdminClient

from domain import Envelope
from domain.banking.account import AccountFrozen
from infra.kafka.encode import Encoder
from infra.kafka.topics import Misconfigured, ensure, position_in, progress_of
from infra.schemas.binary import Unwritable
from infra.schemas.cloudevents import headers_of
from infra.schemas.records import record_of, without_docs
from infra.schemas.versions import Broken, Version, Versions, committed, id_of
from tests.brokers import LEAVES_SOCKETS, bootstrap, make_topic

pytestmark = LEAVES_SOCKETS
TOPIC = AccountFrozen.TOPIC
FACTS = {TOPIC: AccountFrozen}
STREAM = UUID(int=5)
AT = Envelope(
    context="banking",
    stream=STREAM,
    version=2,
    position=7,
    topic=TOPIC,
    time=datetime(2026, 1, 31, 12, 0, 0, 1999, tzinfo=UTC),
    actor="teller",
    command_id=UUID(int=2),
    correlation_id=UUID(int=3),
)


def test_a_message_has_key_frame_headers_and_the_facts_time() -> None:
    message = Encoder(FACTS, committed())(AccountFrozen(reason="fraud"), AT)
    newest = committed().latest(TOPIC)
    assert newest
    assert message.key == str(STREAM).encode()
    assert message.value == b"\0" + newest.id.to_bytes(4) + b"\x0afraud"
    assert message.headers == headers_of(AT)
    assert message.time_ms == 1_769_860_800_001


def test_a_fact_whose_schema_is_missing_or_older_keeps_the_relay_from_starting() -> None:
    schema = without_docs(record_of(AccountFrozen))
    older = {**schema, "fields": []}
    for versions in (Versions([]), Versions([Version(TOPIC, 1, id_of(older), older)])):
        with pytest.raises(Broken, match=re.escape(TOPIC) + ".*run `aorist schemas generate`"):
            Encoder(FACTS, versions)


def test_a_fact_that_its_schema_cannot_say_is_named_by_its_position() -> None:
    broken = AccountFrozen(reason=5)  # type: ignore[arg-type]
    with pytest.raises(Unwritable, match=r"banking log, position 7: banking\.account\.frozen: "):
        Encoder(FACTS, committed())(broken, AT)


def test_topics_are_made_once_and_their_partitions_stay() -> None:
    connection, topic = {"bootstrap_servers": bootstrap()}, f"test-{uuid4().hex[:12]}"
    ensure(connection, topic, 3)
    ensure(connection, topic, 5)
    assert position_in(connection, topic) == 0
    admin = KafkaAdminClient(**connection)
    told = {one["name"]: one for one in admin.describe_topics([topic, progress_of(topic)])}
    admin.close()
    assert [len(told[name]["partitions"]) for name in (topic, progress_of(topic))] == [3, 1]


def test_a_progress_topic_of_two_partitions_is_refused() -> None:
    topic = f"test-{uuid4().hex[:12]}"
    make_topic(bootstrap(), progress_of(topic), 2)
    with pytest.raises(Misconfigured, match="must have one partition; delete it"):
        ensure({"bootstrap_servers": bootstrap()}, topic, 1)
