"""The eventsourcing library's recorders over a log: what it appends is facts like any other."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.clock import SystemIds
from infra.log.blocking import BlockingLog
from infra.log.port import (
    Append,
    Origin,
    Stale,
    Tracked,
)
from infra.log.stored import library_errors, notification, stored_event, stream_id, writes

T = TypeVar("T")

ACTOR = "eventsourcing"
"""With the application's name behind a colon: who appended."""
COMMAND = "insert_events"
"""What the receipts say the command was: the library's own name of it."""


class LogRecorder:
    """What all recorders share: the log, and under which name the application uses it."""

    def __init__(self, log: BlockingLog, application: str = "") -> None:
        self._log = log
        self._name = f"{ACTOR}:{application}" if application else ACTOR

    def reader(self, followed: str) -> str:
        """Return the name that a position is kept under, apart from those of Aorist's readers."""
        return f"{self._name}@{followed}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the log's loop; its errors come as the library's."""
        with library_errors():
            return self._log.run(work)


class LogAggregateRecorder(LogRecorder, AggregateRecorder):
    """Appends and reads the facts of streams."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append all or none. Raises `IntegrityError` when a version is taken."""
        self._append(stored_events)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the facts of a stream."""
        after = -1 if gt is None else gt  # the library allows a version 0
        found = self.run(
            self._log.store.stream(stream_id(originator_id), after, lte, limit, newest_first=desc)
        )
        return [stored_event(one) for one in found]

    def _append(
        self, stored_events: Sequence[StoredEvent], tracking: Tracking | None = None
    ) -> list[int]:
        if not stored_events and tracking is None:
            return []
        append = Append(
            origin=self._origin(),
            writes=tuple(writes(stored_events)),
            tracked=self._tracked(tracking) if tracking else None,
        )
        outcome = self.run(self._log.append(append))
        if isinstance(outcome, Stale):  # a repeat can only be of itself: nobody else has its key
            raise IntegrityError(_late(stored_events, tracking))
        last = outcome.stored.position
        return list(range(last - len(stored_events) + 1, last + 1))

    def _tracked(self, tracking: Tracking) -> Tracked:
        return Tracked(self.reader(tracking.application_name), tracking.notification_id)

    def _origin(self) -> Origin:
        id = SystemIds().new()
        return Origin(
            command_id=id,
            command=f"{self._log.context}.{COMMAND}",
            actor=self._name,
            key=str(id),
            fingerprint="",  # never compared: nobody else has this key
            correlation_id=id,
        )


class LogApplicationRecorder(LogAggregateRecorder, ApplicationRecorder):
    """Reads the whole log as well; notification ids are positions."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append all or none and return the positions."""
        return self._append(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return facts in the order of the log; a topic that ends in a dot is a prefix."""
        after = 0 if start is None else start - inclusive_of_start
        found = self.run(self._log.store.read(after, limit, topics, stop))
        return [notification(one) for one in found]

    def max_notification_id(self) -> int | None:
        """Return the log's last position; None for an empty log."""
        return self.run(self._log.store.head()) or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Return facts after `gt` for ever, as they come, whichever process appends them."""
        return LogSubscription(self, self._log, gt, topics)


class LogSubscription(ListenNotifySubscription[LogApplicationRecorder]):
    """Wakes at each append of this application, of others when told or when polling finds it."""

    def __init__(
        self,
        recorder: LogApplicationRecorder,
        log: BlockingLog,
        gt: int | None,
        topics: Sequence[str],
    ) -> None:
        self._log = log
        super().__init__(recorder, gt, topics)
        with library_errors():
            self._log.listen(self._has_been_notified)

    def stop(self) -> None:
        """Stop the iteration."""
        super().stop()
        self._log.unlisten(self._has_been_notified)


class LogTrackingRecorder(LogRecorder, TrackingRecorder):
    """Keeps how far an application has processed another's log.

    A materialised view inherits from it and hands its writes to `track`.
    """

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move the position. Raises `IntegrityError` when it is not after the one before."""
        self.track(tracking)

    def track(
        self,
        tracking: Tracking,
        write: Callable[[AsyncConnection], Awaitable[object]] | None = None,
    ) -> None:
        """Move the position and write in one transaction."""
        self.run(self._track(tracking, write))

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the position; None when nothing was processed."""
        return self.run(self._position(self.reader(application_name)))

    async def _track(
        self, tracking: Tracking, write: Callable[[AsyncConnection], Awaitable[object]] | None
    ) -> None:
        statement = text(
            f"INSERT INTO {self._log.table('readers')} AS r (name, position)"
            " VALUES (:name, :position) ON CONFLICT (name) DO UPDATE"
            " SET position = excluded.position WHERE r.position < excluded.position"
        )
        place = {
            "name": self.reader(tracking.application_name),
            "position": tracking.notification_id,
        }
        async with self._log.database.write() as connection:
            moved = await connection.execute(statement, place)
            if moved.rowcount != 1:
                raise IntegrityError(f"{tracking} is not after the position recorded before")
            if write:
                await write(connection)

    async def _position(self, name: str) -> int | None:
        statement = text(f"SELECT position FROM {self._log.table('readers')} WHERE name = :name")
        async with self._log.database.read() as connection:
            position: int | None = (await connection.execute(statement, {"name": name})).scalar()
        return position


class LogProcessRecorder(LogTrackingRecorder, LogApplicationRecorder, ProcessRecorder):
    """Appends facts together with the position they were made from."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append all or none, with the `tracking` given; return the positions."""
        return self._append(stored_events, kwargs.get("tracking"))

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move the position by an append, as `insert_events` does: they exclude each other."""
        self._append((), tracking)


def _late(stored_events: Sequence[StoredEvent], tracking: Tracking | None) -> str:
    named = [f"version {e.originator_version} of {e.originator_id}" for e in stored_events[:1]]
    if tracking:
        named.append(str(tracking))
    return f"{' with '.join(named)} does not follow what is recorded; read again, decide anew"
