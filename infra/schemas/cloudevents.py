"""What is told about a fact beside its data, as CloudEvents attributes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

from domain import Envelope

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/vnd.apache.avro"
PREFIX = "ce_"
"""What the names of attributes begin with in the headers of a message."""
TOPICS = "aorist"
"""The first word of every Kafka topic of ours, unless `kafka_prefix` says otherwise."""


def topic_of(context: str, prefix: str = TOPICS) -> str:
    """Return the Kafka topic that a context's facts are mirrored to."""
    return f"{prefix}.{context}"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its name in CloudEvents, its meaning, and how an envelope says it."""

    name: str
    doc: str
    value: Callable[[Envelope], object | None]
    required: bool = True
    form: str | None = None
    """A JSON schema format."""


ATTRIBUTES = (
    Attribute("specversion", "The version of CloudEvents.", lambda at: SPEC_VERSION),
    Attribute(
        "id",
        "Stream and version. Drop what was seen before.",
        lambda at: f"{at.stream}:{at.version}",
    ),
    Attribute("source", "The log that the fact is in.", lambda at: f"/{TOPICS}/{at.context}"),
    Attribute("type", "The fact's topic.", lambda at: at.topic),
    Attribute("subject", "The stream: whose fact it is.", lambda at: at.stream, form="uuid"),
    Attribute(
        "time",
        "When it was written to the log; never runs backwards along it.",
        lambda at: at.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        form="date-time",
    ),
    Attribute("datacontenttype", "How the value is written.", lambda at: CONTENT_TYPE),
    Attribute("position", "Place in the log: 1, 2, 3 …", lambda at: at.position),
    Attribute("streamversion", "Place in the stream: 1, 2, 3 …", lambda at: at.version),
    Attribute("actor", "Who sent the command.", lambda at: at.actor),
    Attribute("commandid", "The command it follows from.", lambda at: at.command_id, form="uuid"),
    Attribute(
        "correlationid", "What it belongs together with.", lambda at: at.correlation_id, form="uuid"
    ),
    Attribute(
        "causationid",
        "The command that caused its command.",
        lambda at: at.causation_id,
        required=False,
        form="uuid",
    ),
    Attribute("traceparent", "W3C trace context.", lambda at: at.traceparent, required=False),
)

CONTENT_TYPE_HEADER = "content-type"
"""In Kafka's binding, the header that carries the attribute `datacontenttype`."""


def header_of(attribute: Attribute) -> str:
    """Return the name of the header that carries an attribute."""
    if attribute.name == "datacontenttype":
        return CONTENT_TYPE_HEADER
    return PREFIX + attribute.name


HEADERS = tuple((header_of(one), one.value) for one in ATTRIBUTES)


def headers_of(at: Envelope) -> list[tuple[str, bytes]]:
    """Return an envelope as the headers of a message."""
    return [(name, str(value).encode()) for name, get in HEADERS if (value := get(at)) is not None]
