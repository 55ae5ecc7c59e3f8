"""Rows as SQLite keeps them: plain values that a person can read and that sort."""

from datetime import UTC, datetime
from uuid import UUID

from infra.log import rows
from infra.log.batch import FactRow
from infra.log.port import Encoded, Origin, Rejected, Stored


def event_row(position: int, row: FactRow, origin: Origin, time: str) -> tuple[object, ...]:
    """Return a fact's row, in the order of the columns."""
    return (
        position,
        str(row.stream),
        row.version,
        row.fact.topic,
        plain(_text(row.fact)),
        time,
        origin.actor,
        str(origin.command_id),
        str(origin.correlation_id),
        plain(origin.causation_id),
        origin.traceparent,
    )


def _text(fact: Encoded) -> str | bytes:
    """JSON is kept as text, so that sqlite3 shows it; anything else as it is."""
    return fact.data.decode() if fact.is_json else fact.data


def receipt_row(stored: Stored) -> tuple[object, ...]:
    """Return a receipt's row, in the order of `rows.RECEIPT_COLUMNS`."""
    return tuple(plain(value) for value in rows.receipt_values(stored))


def plain(value: object) -> object:
    """Return a value as SQLite keeps it: ids and times as text that sorts."""
    if isinstance(value, str) and "\0" in value:
        raise Rejected("the store refused a value: a text has a NUL")  # as PostgreSQL does
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def topic_range(topic: str) -> tuple[str, str]:
    """Return the first topic that a filter lets pass, and the first one behind them."""
    if topic.endswith("."):
        return topic, topic[:-1] + chr(ord(".") + 1)
    return topic, topic + "\x01"
