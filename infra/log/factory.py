"""Opens a log for the eventsourcing library: PERSISTENCE_MODULE=infra.log.factory."""

import re
from threading import Lock
from typing import Any, TypeVar

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    Mapper,
    ProcessRecorder,
    Transcoder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from infra.configuration import load
from infra.discovery import discover
from infra.log.blocking import BlockingLog
from infra.log.mapper import FactMapper, register_facts
from infra.log.recorder import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogRecorder,
    LogTrackingRecorder,
)
from infra.log.snapshots import LogSnapshotRecorder
from infra.log.stored import library_errors

R = TypeVar("R", bound=LogRecorder)

CONTEXT_NAME = re.compile("[a-z][a-z0-9_]{0,39}")


class LogFactory(InfrastructureFactory[LogTrackingRecorder]):
    """What an application of the library gets its recorders and its mapper from.

    Its environment, each name with or without the application's name before it: CONTEXT, whose
    log it is (required; one of its own for aggregates of the library's kind, since Aorist's
    readers stop at facts they do not know); DATABASE_URL, where it is kept (as Aorist is
    configured, when absent); CREATE_TABLE, `n` to leave migrations to Aorist. The rest is
    configured as Aorist is. Raises `OSError` for a missing or impossible name.
    """

    CONTEXT = "CONTEXT"
    DATABASE_URL = "DATABASE_URL"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        keys = ", ".join(self.env.create_keys(self.CONTEXT))
        self._context = self.env.get(self.CONTEXT, "")
        if not CONTEXT_NAME.fullmatch(self._context):
            raise OSError(
                f"{self._context!r} names no log: set one of {keys} to the context whose log "
                "the application uses, in small letters, digits and underscores"
            )
        url = self.env.get(self.DATABASE_URL)
        settings, _ = load(database_url=url, context_database_urls={} if url else None)
        self._settings = settings
        self._opening = Lock()
        self._log: BlockingLog | None = None

    def mapper(
        self, transcoder: Transcoder | None = None, mapper_class: type[Mapper[Any]] | None = None
    ) -> Mapper[Any]:
        """Return the mapper: of facts too, unless MAPPER_TOPIC names another one."""
        if mapper_class is None and not self.env.get(self.MAPPER_TOPIC):
            register_facts(discover().facts)
            mapper_class = FactMapper
        return super().mapper(transcoder, mapper_class)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Return the recorder of the facts, or of the snapshots."""
        if purpose == "events":
            return self._recorder(LogAggregateRecorder)
        if purpose == "snapshots":
            return self._recorder(LogSnapshotRecorder)
        raise NotImplementedError(f"a log keeps events and snapshots, but no {purpose!r}")

    def application_recorder(self) -> ApplicationRecorder:
        """Return the recorder of the facts that reads the whole log as well."""
        return self._recorder(LogApplicationRecorder, self.APPLICATION_RECORDER_TOPIC)

    def tracking_recorder(
        self, tracking_recorder_class: type[LogTrackingRecorder] | None = None
    ) -> LogTrackingRecorder:
        """Return the recorder of positions, or of a view that inherits from it."""
        if tracking_recorder_class is not None:
            return self._recorder(tracking_recorder_class)
        return self._recorder(LogTrackingRecorder, self.TRACKING_RECORDER_TOPIC)

    def process_recorder(self) -> ProcessRecorder:
        """Return the recorder of facts with the positions they were made from."""
        return self._recorder(LogProcessRecorder, self.PROCESS_RECORDER_TOPIC)

    def close(self) -> None:
        """Close the log: what was begun is finished, its recorders are of no use after."""
        if self._log is not None:
            self._log.close()

    def _recorder(self, default: type[R], topic: str = "") -> R:
        named = self.env.get(topic) if topic else None
        recorder_class: type[R] = resolve_topic(named) if named else default
        if not issubclass(recorder_class, default):
            raise TypeError(f"{topic} names {named}, which is no {default.__name__}")
        return recorder_class(self.opened(), self.env.name)

    def opened(self) -> BlockingLog:
        """Return the log, opened and migrated at first use."""
        with self._opening, library_errors():
            if self._log is None:
                create = strtobool(self.env.get(self.CREATE_TABLE) or "yes")
                self._log = BlockingLog(self._settings, self._context, create_tables=create)
        return self._log
