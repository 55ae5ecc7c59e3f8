"""The eventsourcing library's stored events, and its errors, from and to those of the log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

import msgspec
import sqlalchemy.exc as sql
from eventsourcing.persistence import (
    DatabaseError,
    DataError,
    IntegrityError,
    Notification,
    NotSupportedError,
    OperationalError,
    StoredEvent,
)

from domain import Envelope
from infra.log.port import Encoded, LogError, Recorded, Rejected, Taken, Write


@dataclass(frozen=True, eq=False)
class StoredFact(StoredEvent):
    """A stored event that knows its envelope; equal to one that does not."""

    at: Envelope

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredEvent) and _values(self) == _values(other)

    __hash__ = StoredEvent.__hash__


@dataclass(frozen=True, eq=False)
class NotifiedFact(Notification):
    """A notification that knows its envelope; equal to one that does not."""

    at: Envelope

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Notification)
            and self.id == other.id
            and _values(self) == _values(other)
        )

    __hash__ = Notification.__hash__


@contextmanager
def library_errors() -> Iterator[None]:
    """Raise what the log and the database raise as the library's errors."""
    try:
        yield
    except (Taken, sql.IntegrityError) as error:
        raise IntegrityError(str(error)) from error
    except (Rejected, sql.DataError) as error:
        raise DataError(str(error)) from error
    except (LogError, sql.OperationalError, sql.InterfaceError, sql.TimeoutError, OSError) as error:
        raise OperationalError(str(error)) from error
    except sql.DBAPIError as error:
        raise DatabaseError(str(error)) from error


def stream_id(originator_id: UUID | str) -> UUID:
    """Return the stream. Raises `NotSupportedError` for an id that is no UUID."""
    if isinstance(originator_id, UUID):
        return originator_id
    raise NotSupportedError(f"{originator_id!r} is a str; the streams of a log are named by UUIDs")


def encoded(event: StoredEvent) -> Encoded:
    """Return an event as it is stored: readable when it is JSON text, else as opaque bytes."""
    return Encoded(event.topic, event.state, _is_json(event.state))


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def writes(stored_events: Sequence[StoredEvent]) -> Iterator[Write]:
    """Yield the writes of an append. Positions follow the order given, streams may alternate."""
    for originator_id, run in groupby(stored_events, lambda event: event.originator_id):
        events = tuple(run)
        versions = tuple(event.originator_version for event in events)
        facts = tuple(map(encoded, events))
        first = versions[0]
        if first > 0 and versions == tuple(range(first, first + len(versions))):
            yield Write(stream_id(originator_id), first - 1, facts)
        else:
            yield Write(stream_id(originator_id), None, facts, versions)


def stored_event(one: Recorded) -> StoredEvent:
    """Return a fact as the library's repositories read it."""
    at = one.at
    return StoredFact(at.stream, at.version, at.topic, one.data, at)


def notification(one: Recorded) -> Notification:
    """Return a fact as the library's followers read it."""
    at = one.at
    return NotifiedFact(at.stream, at.version, at.topic, one.data, at.position, at)


def _values(event: StoredEvent) -> tuple[object, ...]:
    return event.originator_id, event.originator_version, event.topic, event.state
