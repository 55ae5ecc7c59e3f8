"""The AsyncAPI document: which facts come on which Kafka topic, in which form."""

from typing import Any

from infra.schemas.cloudevents import ATTRIBUTES, CONTENT_TYPE, header_of, topic_of
from infra.schemas.versions import Version, Versions, feature_of

SPEC = "3.0.0"
SCHEMA_FORMAT = "application/vnd.apache.avro+json;version=1.12.0"
CONFLUENT = {"schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent"}
HEADERS = "envelope"


def document(versions: Versions) -> dict[str, Any]:
    """Return the AsyncAPI document of the newest versions, as JSON values."""
    newest = [
        found for subject in sorted(versions.by_subject) if (found := versions.latest(subject))
    ]
    by_context: dict[str, list[Version]] = {}
    for one in newest:
        by_context.setdefault(feature_of(one.subject)[0], []).append(one)
    return {
        "asyncapi": SPEC,
        "info": {
            "title": "Aorist's facts on Kafka",
            "version": "0.1.0",
            "description": "A topic for each context; the facts of a stream are in order.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {context: _channel(context, found) for context, found in by_context.items()},
        "operations": {
            f"publish_{context}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{context}"},
                "summary": f"Every fact of {context}, in the order of its log",
            }
            for context in by_context
        },
        "components": {
            "messages": {one.subject: _message(one) for one in newest},
            "messageTraits": {HEADERS: {"headers": _headers()}},
        },
    }


def _channel(context: str, found: list[Version]) -> dict[str, Any]:
    return {
        "address": topic_of(context),
        "description": f"The log of {context}. The key is the stream.",
        "messages": {
            one.subject: {"$ref": f"#/components/messages/{one.subject}"} for one in found
        },
        "bindings": {"kafka": {"topic": topic_of(context)}},
    }


def _message(version: Version) -> dict[str, Any]:
    return {
        "name": version.subject,
        "title": version.subject,
        "contentType": CONTENT_TYPE,
        "traits": [{"$ref": f"#/components/messageTraits/{HEADERS}"}],
        "bindings": {
            "kafka": {"key": {"type": "string", "format": "uuid"}, **CONFLUENT},
        },
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": version.schema},
        "x-schema-id": version.id,
    }


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            header_of(one): {"type": "string", "description": one.doc}
            | ({"format": one.form} if one.form else {})
            for one in ATTRIBUTES
        },
        "required": [header_of(one) for one in ATTRIBUTES if one.required],
    }
