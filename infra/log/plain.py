"""Rows as SQLite keeps them: plain values that a person can read and that sort."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID

import msgspec

from infra.log.batch import FactRow
from infra.log.port import Accepted, Origin, Rejected

KEPT = (bytes,)
"""What is not made text."""
NUL = "the store refused a value: a text has a NUL"  # PostgreSQL refuses it too


def event_row(position: int, row: FactRow, origin: Origin, time: str) -> tuple[object, ...]:
    """Return a fact's row, in the order of the columns, for `plain_all`."""
    return (
        position,
        row.stream,
        row.version,
        row.fact.topic,
        # JSON is kept as text, so that sqlite3 shows it; anything else as it is.
        row.fact.data.decode() if row.fact.is_json else row.fact.data,
        time,
        origin.actor,
        origin.command_id,
        origin.correlation_id,
        origin.causation_id,
        origin.traceparent,
    )


def receipt_row(accepted: Accepted, time: str) -> tuple[object, ...]:
    """Return a receipt's row, in the order of `rows.RECEIPT_COLUMNS`, for `plain_all`."""
    origin, refusal = accepted.append.origin, accepted.append.refusal
    return (
        origin.actor,
        origin.command,
        origin.key,
        origin.command_id,
        origin.fingerprint,
        origin.correlation_id,
        origin.causation_id,
        origin.address,
        origin.agent,
        origin.reason,
        origin.roles,
        accepted.stream,
        accepted.version,
        accepted.position,
        sum([len(write.facts) for write in accepted.append.writes]),
        time,
        *((refusal.code, refusal.detail, refusal.type) if refusal else (None, None, None)),
    )


def plain_all(values: Sequence[tuple[object, ...]]) -> list[object]:
    """Return the values of rows, one row behind the other, as SQLite keeps them.

    They have no times but as text. Many at once, as a loop in Python costs more than the rows.
    """
    flat: list[object] = msgspec.to_builtins(list(chain.from_iterable(values)), builtin_types=KEPT)
    if "\0" in "".join([value for value in flat if type(value) is str]):
        raise Rejected(NUL)
    return flat


def plain(value: object) -> object:
    """Return a value as SQLite keeps it: ids and times as text that sorts."""
    if isinstance(value, str) and "\0" in value:
        raise Rejected(NUL)
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
