"""The columns of the log's tables, and rows as values; SQLite's text forms are read back."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain import Envelope
from infra.log.port import Key, Recorded, Refusal, Stored

EVENT_COLUMNS = (
    "stream, version, position, topic, time, actor, command_id, correlation_id, causation_id, "
    "traceparent, data"
)
RECEIPT_COLUMNS = (
    "actor, command, key, command_id, fingerprint, correlation_id, causation_id, address, agent, "
    "reason, roles, stream, version, position, facts, time, refusal_code, refusal_detail, "
    "refusal_type"
)


def recorded(context: str, row: Sequence[Any]) -> Recorded:
    """Return a fact from a row of `EVENT_COLUMNS`."""
    stream, version, position, topic, time, actor, command, correlation, causation, trace, data = (
        row
    )
    return Recorded(
        Envelope(
            context=context,
            stream=_id(stream),
            version=version,
            position=position,
            topic=topic,
            time=_time(time),
            actor=actor,
            command_id=_id(command),
            correlation_id=_id(correlation),
            causation_id=_id(causation) if causation else None,
            traceparent=trace,
        ),
        data if isinstance(data, bytes) else data.encode(),
    )


def by_key(found: Iterable[Stored]) -> dict[Key, Stored]:
    """Return receipts by their keys."""
    return {(one.actor, one.command, one.key): one for one in found}


def stored(context: str, row: Sequence[Any]) -> Stored:
    """Return a receipt from a row of `RECEIPT_COLUMNS`."""
    return Stored(
        context=context,
        actor=row[0],
        command=row[1],
        key=row[2],
        command_id=_id(row[3]),
        fingerprint=row[4],
        correlation_id=_id(row[5]),
        causation_id=_id(row[6]) if row[6] else None,
        address=row[7],
        agent=row[8],
        reason=row[9],
        roles=row[10],
        stream=_id(row[11]) if row[11] else None,
        version=row[12],
        position=row[13],
        facts=row[14],
        time=_time(row[15]),
        refusal=Refusal(row[16], row[17], row[18]) if row[16] else None,
    )


def _id(value: str | UUID) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _time(value: str | datetime) -> datetime:
    # PostgreSQL answers in the time zone of the server.
    return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)
