"""Values as SQLite keeps them: what a person can read, and what sorts."""

from datetime import UTC, datetime
from uuid import UUID

from infra.log.port import Rejected

NUL = "the store refused a value: a text has a NUL"  # PostgreSQL refuses it too


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
