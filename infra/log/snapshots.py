"""The eventsourcing library's snapshots, kept beside the log and safe to delete."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import AggregateRecorder, StoredEvent
from sqlalchemy import text

from infra.log.histories import SHAPE_MARK
from infra.log.recorder import LogRecorder
from infra.log.stored import encoded, stream_id

# PostgreSQL keeps JSON and other bytes in two columns, SQLite text or a BLOB in one.
INSERT = {
    False: "(stream, version, topic, data, sealed)"
    " VALUES (CAST(:stream AS uuid), :version, :topic, CAST(:data AS json), :sealed)",
    True: "(stream, version, topic, data) VALUES (:stream, :version, :topic, :data)",
}
SELECT = {
    False: "version, topic, coalesce(convert_to(CAST(data AS text), 'UTF8'), sealed)",
    True: "version, topic, data",
}
STREAM = {False: "CAST(:stream AS uuid)", True: ":stream"}
# The states that Aorist keeps in the same table are none of the library's.
OWN = {False: f"strpos(topic, '{SHAPE_MARK}') = 0", True: f"instr(topic, '{SHAPE_MARK}') = 0"}


class LogSnapshotRecorder(LogRecorder, AggregateRecorder):
    """Keeps snapshots; they are no facts, so they have no position and no receipt."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Keep all or none. Raises `IntegrityError` when there is one of topic and version."""
        if stored_events:
            self.run(self._insert([self._row(event) for event in stored_events]))
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
        """Return the snapshots of a stream."""
        stream = stream_id(originator_id)
        bounds: dict[str, object] = {"stream": str(stream), "gt": gt, "lte": lte, "limit": limit}
        given = {name: value for name, value in bounds.items() if value is not None}
        sqlite = self._log.database.is_sqlite
        statement = (
            f"SELECT {SELECT[sqlite]} FROM {self._log.table('snapshots')}"
            f" WHERE stream = {STREAM[sqlite]} AND {OWN[sqlite]}"
            f"{'' if gt is None else ' AND version > :gt'}"
            f"{'' if lte is None else ' AND version <= :lte'}"
            f" ORDER BY version{' DESC' if desc else ''}"
            f"{'' if limit is None else ' LIMIT :limit'}"
        )
        return [
            StoredEvent(stream, version, topic, data if isinstance(data, bytes) else data.encode())
            for version, topic, data in self.run(self._select(statement, given))
        ]

    async def _insert(self, rows: list[dict[str, object]]) -> None:
        table = self._log.table("snapshots")
        statement = text(f"INSERT INTO {table} {INSERT[self._log.database.is_sqlite]}")
        async with self._log.database.write() as connection:
            await connection.execute(statement, rows)

    async def _select(self, statement: str, values: dict[str, object]) -> Sequence[Any]:
        async with self._log.database.read() as connection:
            return (await connection.execute(text(statement), values)).all()

    def _row(self, event: StoredEvent) -> dict[str, object]:
        fact = encoded(event)
        data = fact.data.decode() if fact.is_json else None
        row = {
            "stream": str(stream_id(event.originator_id)),
            "version": event.originator_version,
            "topic": event.topic,
        }
        if self._log.database.is_sqlite:
            return {**row, "data": fact.data if data is None else data}
        return {**row, "data": data, "sealed": fact.data if data is None else None}
