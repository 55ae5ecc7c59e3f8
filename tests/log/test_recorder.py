"""The eventsourcing library's own cases for recorders, on logs in both stores."""

from collections.abc import Iterator
from typing import Any, ClassVar
from unittest import TestCase

import pytest
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.tests import application, persistence, projection
from eventsourcing.utils import Environment
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.log.factory import LogFactory
from infra.log.recorder import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
)
from tests.stores import STORES, Stores

CONTEXT = "library"
MODULE = "infra.log.factory"


class OnLog(TestCase):
    """A case with an empty log, in the store that the concrete class names."""

    store: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _open(self, all_stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        env = {
            "PERSISTENCE_MODULE": MODULE,
            "CONTEXT": CONTEXT,
            "COUNTERS_CONTEXT": "counters",  # a projection that appends has a log of its own
            "DATABASE_URL": all_stores.settings(self.store).database_url,
        }
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        self.environment = Environment("Cases", env)
        self.log = LogFactory(self.environment)
        yield
        self.log.close()


class EventRecorderCase(OnLog, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.log.aggregate_recorder()


class SnapshotRecorderCase(OnLog, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.log.aggregate_recorder(purpose="snapshots")


class ApplicationRecorderCase(OnLog, persistence.ApplicationRecorderTestCase[ApplicationRecorder]):
    def create_recorder(self) -> ApplicationRecorder:
        return self.log.application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TrackingRecorderCase(OnLog, persistence.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.log.tracking_recorder()


class ProcessRecorderCase(OnLog, persistence.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return self.log.process_recorder()


class ProcessAsApplicationRecorderCase(
    OnLog, persistence.ApplicationRecorderTestCase[ApplicationRecorder]
):
    def create_recorder(self) -> ApplicationRecorder:
        return self.log.process_recorder()


class ProcessAsTrackingRecorderCase(OnLog, persistence.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.log.process_recorder()


class NonInterleavingCase(OnLog, persistence.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> ApplicationRecorder:
        return self.log.application_recorder()


class TrackingSubclass(LogTrackingRecorder):
    """A view's recorder, as a factory is asked for one."""


class FactoryCase(OnLog, persistence.InfrastructureFactoryTestCase[LogFactory]):
    def setUp(self) -> None:
        self.env = self.environment
        super().setUp()

    def expected_factory_class(self) -> type[LogFactory]:
        return LogFactory

    def expected_aggregate_recorder_class(self) -> type[AggregateRecorder]:
        return LogAggregateRecorder

    def expected_application_recorder_class(self) -> type[ApplicationRecorder]:
        return LogApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return LogTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return TrackingSubclass

    def expected_process_recorder_class(self) -> type[ProcessRecorder]:
        return LogProcessRecorder


class ExampleApplicationCase(OnLog, application.ExampleApplicationTestCase):
    expected_factory_topic = f"{MODULE}:LogFactory"


@pytest.mark.filterwarnings("always::DeprecationWarning")  # of the library, which one case records
class ApplicationCase(OnLog, application.ApplicationTestCase):
    """Among them 100 threads that contend for one aggregate."""


class EventCounters(LogTrackingRecorder, projection.EventCountersView):
    """A materialised view in a table of its own, beside the log."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.run(self._create())

    def get_created_event_counter(self) -> int:
        return self.run(self._count("created"))

    def get_subsequent_event_counter(self) -> int:
        return self.run(self._count("subsequent"))

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self.track(tracking, lambda connection: self._add(connection, "created"))

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self.track(tracking, lambda connection: self._add(connection, "subsequent"))

    async def _create(self) -> None:
        async with self._log.database.write() as connection:
            table = self._log.table("counters")
            await connection.execute(
                text(f"CREATE TABLE IF NOT EXISTS {table} (name text, number integer)")
            )

    async def _count(self, name: str) -> int:
        counted = text(f"SELECT sum(number) FROM {self._log.table('counters')} WHERE name = :name")
        async with self._log.database.read() as connection:
            return (await connection.execute(counted, {"name": name})).scalar() or 0

    async def _add(self, connection: AsyncConnection, name: str) -> None:
        table = self._log.table("counters")
        await connection.execute(text(f"INSERT INTO {table} VALUES (:name, 1)"), {"name": name})


class ViewCase(OnLog, projection.EventCountersViewTestCase):
    def construct_event_counters_view(self) -> EventCounters:
        view = self.log.tracking_recorder(EventCounters)
        assert isinstance(view, EventCounters)
        return view


class ProjectionCase(OnLog, projection.AggregateEventCountersProjectionTestCase):
    view_class = EventCounters


class EventSourcedProjectionCase(OnLog, projection.EventSourcedProjectionTestCase):
    """A process that reads one log and writes another one."""


def _on_each_store(case: type[OnLog]) -> None:
    for store in STORES:
        name = f"{case.__name__}_{store}"
        globals()[name] = type(name, (case,), {"store": store, "__test__": True})


for _case in OnLog.__subclasses__():
    _case.__test__ = False  # type: ignore[attr-defined]
    _on_each_store(_case)
