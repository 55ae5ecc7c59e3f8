"""The AsyncAPI document says what is on which topic, and its references lead somewhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain import Envelope
from infra.discovery import discover
from infra.schemas.asyncapi import document
from infra.schemas.cloudevents import headers_of
from infra.schemas.records import record_of, without_docs
from infra.schemas.versions import committed

FEATURES = discover()
DOCUMENT = document(committed())


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def at(reference: str) -> Any:
    found: Any = DOCUMENT
    for word in reference.removeprefix("#/").split("/"):
        found = found[word]
    return found


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > len(FEATURES.facts)
    for reference in found:
        assert at(reference)


def test_each_context_has_a_topic_with_its_facts() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT["channels"]) == set(FEATURES.contexts)
    for context, channel in DOCUMENT["channels"].items():
        assert channel["address"] == f"aorist.{context}"
        facts = {topic for topic in FEATURES.facts if topic.startswith(f"{context}.")}
        assert set(channel["messages"]) == facts
    actions = {one["action"] for one in DOCUMENT["operations"].values()}
    assert actions == {"send"}


def test_each_message_has_the_schema_of_its_fact() -> None:
    for topic, fact in FEATURES.facts.items():
        message = DOCUMENT["components"]["messages"][topic]
        assert message["payload"]["schema"] == without_docs(record_of(fact))
        assert message["payload"]["schemaFormat"].startswith("application/vnd.apache.avro+json")


ENVELOPE = Envelope(
    context="banking",
    stream=UUID(int=1),
    version=3,
    position=17,
    topic="banking.account.closed",
    time=datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC),
    actor="Zoë",
    command_id=UUID(int=2),
    correlation_id=UUID(int=4),
)


def test_an_envelope_is_cloudevents_attributes_in_headers() -> None:
    assert dict(headers_of(ENVELOPE)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"00000000-0000-0000-0000-000000000001:3",
        "ce_source": b"/aorist/banking",
        "ce_type": b"banking.account.closed",
        "ce_subject": b"00000000-0000-0000-0000-000000000001",
        "ce_time": b"2026-01-31T12:00:00.000005Z",
        "content-type": b"application/vnd.apache.avro",
        "ce_position": b"17",
        "ce_streamversion": b"3",
        "ce_actor": "Zoë".encode(),
        "ce_commandid": b"00000000-0000-0000-0000-000000000002",
        "ce_correlationid": b"00000000-0000-0000-0000-000000000004",
    }


def test_the_document_names_the_headers_that_are_sent() -> None:
    headers = at("#/components/messageTraits/envelope/headers")
    sent = dict(headers_of(ENVELOPE))
    assert set(headers["required"]) == set(sent)
    assert set(headers["properties"]) == {*sent, "ce_causationid", "ce_traceparent"}
