"""Snapshots of one job, as tests make them and look at them."""

from uuid import UUID

from domain import State
from infra.check import examine
from infra.streams import Cached
from infra.system import System
from tests.probe.job import Job, JobPushed, JobStarted, PushJob, StartJob
from tests.probe.store import sql
from tests.scenario import Scenario

A, B = UUID(int=0xA), UUID(int=0xB)
PUSH, START = PushJob(job_id=A), StartJob(job_id=A, name="dig")
STARTED = JobStarted(name="dig")


def pushed(probe: Scenario, times: int, to: System | None = None) -> None:
    """Push the job, waiting for a snapshot each time."""
    for _ in range(times):
        probe.send(PUSH, to=to)
        probe.run((to or probe.system).snapshots_written())


def lived(probe: Scenario, pushes: int, id: UUID = A) -> Scenario:
    """Give a job a history; nothing is in memory, and no snapshot."""
    return probe.given({id: [STARTED, *(JobPushed(number=n + 1) for n in range(pushes))]})


def load(probe: Scenario, system: System | None = None, kind: type[State] = Job) -> Cached:
    """Load the job from the store, and let a snapshot be taken if one is due."""
    system = system or probe.system
    streams = system.logs["probe"].streams
    streams.drop(A)
    entry = probe.run(streams.get(kind, A))
    probe.run(system.snapshots_written())
    return entry


def counted(probe: Scenario, result: str, system: System | None = None) -> int:
    """Return how many snapshots became what, by the metrics."""
    registry = (system or probe.system).telemetry.registry
    labels = {"context": "probe", "result": result}
    return int(registry.get_sample_value("snapshots_total", labels) or 0)


def checked(probe: Scenario) -> list[str]:
    """Return what the check of the log says of snapshots: breaches, or their number."""
    findings = probe.run(examine(probe.system, "probe", lambda seen, head: None))
    [finding] = [one for one in findings if one.name.startswith("snapshots")]
    return finding.breaches or [finding.counted]


def snapshots(probe: Scenario) -> list[tuple[int, str]]:
    """Return the version and the topic of every snapshot, once all that are due are written."""
    probe.run(probe.system.snapshots_written())
    found = sql(probe, "SELECT version, topic FROM probe.snapshots ORDER BY version, topic")
    return [(version, topic) for version, topic in found]


def versions(probe: Scenario) -> list[int]:
    """Return the versions alone."""
    return [version for version, _ in snapshots(probe)]
