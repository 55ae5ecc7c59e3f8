"""Starting, watching and ending a system; several of them on one store."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from commands import Caller
from infra.discovery import Misbuilt
from infra.log.port import LogError, Unavailable
from infra.reach import StoreAway
from infra.settings import Settings
from infra.wiring import open_system
from projections import Listing
from tests.probe.features import FEATURES
from tests.probe.job import StartJob
from tests.probe.rows import all_jobs, jobs_called
from tests.scenario import Scenario, until
from tests.stores import Stores

A = UUID(int=0xA)
ann = Caller(actor="ann")


@pytest.fixture
def empty(all_stores: Stores, store: str, tmp_path: Path):
    """Settings for a database that has no tables yet."""
    if store == "sqlite":
        yield Settings(database_url=f"sqlite:///{tmp_path}/deep/down/new.db")
        return
    url = all_stores.settings("postgres").database_url
    name = f"aorist_empty_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield Settings(database_url=f"{url.rpartition('/')[0]}/{name}", database_connections=2)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_processes_that_start_at_once_make_the_tables_once(empty: Settings) -> None:
    async def body() -> None:
        systems = await asyncio.gather(*(open_system(empty, features=FEATURES) for _ in range(4)))
        sent = (system.dispatch(StartJob(name="dig"), ann) for system in systems)
        answers = await asyncio.gather(*sent)
        assert sorted(answer.receipt.position for answer in answers) == [1, 2, 3, 4]
        for system in systems:
            await system.close()

    asyncio.run(body())


def test_a_restart_finds_everything(settings: Settings) -> None:
    first = Scenario(settings, "probe", features=FEATURES)
    first.when(StartJob(job_id=A, name="dig"))
    first.close()
    second = Scenario(settings, "probe", features=FEATURES)
    assert second.head() == 1
    assert len(second.rows(all_jobs())) == 1
    second.after(timedelta()).then()
    second.close()


def test_closing_twice_is_closing_once(probe) -> None:
    probe.when(StartJob(job_id=A, name="dig"))
    probe.run(probe.system.close())
    with pytest.raises((LogError, RuntimeError)):
        probe.send(StartJob(name="late"))


def test_closing_waits_for_what_is_on_its_way(probe, other) -> None:
    async def body() -> None:
        tasks = [
            asyncio.create_task(probe.system.dispatch(StartJob(name=str(n)), ann))
            for n in range(20)
        ]
        group = probe.system.logs["probe"].group
        await until(lambda: bool(group._waiting) or all(task.done() for task in tasks))
        await group.close()
        await asyncio.gather(*tasks)

    probe.run(body())
    assert probe.head() == 20


def test_a_port_that_nobody_provides_is_told_before_anything_is_opened(empty: Settings) -> None:
    command, handling = next(iter(FEATURES.handlings.items()))
    asking = replace(handling, ports={**handling.ports, "post": UUID})
    features = replace(FEATURES, handlings={**FEATURES.handlings, command: asking})
    with pytest.raises(Misbuilt, match=r"asks for uuid\.UUID; wiring has none"):
        asyncio.run(open_system(empty, features=features))
    if empty.database_url.startswith("sqlite"):
        assert not Path(empty.database_url.removeprefix("sqlite:///")).exists()


def test_an_unknown_context_is_named(empty: Settings) -> None:
    with pytest.raises(LookupError, match=r"'prob'; there are probe"):
        asyncio.run(open_system(empty, ["prob"], features=FEATURES))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://somebody:secret@127.0.0.1:1/nowhere",  # pragma: allowlist secret
        "sqlite:////proc/nowhere.db",
        "sqlite:////proc/nowhere/folder/new.db",
        "sqlite:////etc/hostname/nowhere.db",
    ],
)
def test_a_store_that_is_away_is_named_without_its_password(url: str) -> None:
    with pytest.raises(StoreAway) as error:
        asyncio.run(open_system(Settings(database_url=url), features=FEATURES))
    assert "nowhere" in str(error.value)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("no database, but quite a long text about something else\n" * 100)
    with pytest.raises(StoreAway, match=r"notes\.db cannot be opened: file is not a database"):
        asyncio.run(open_system(Settings(database_url=f"sqlite:///{file}"), features=FEATURES))


def test_the_lag_is_told_also_where_no_reader_runs(probe, other) -> None:
    probe.when(StartJob(job_id=A, name="dig"))
    probe.send(StartJob(name="other"))
    probe.run(other.measure())
    assert set(other.telemetry.gauges.lag.values()) == {1}
    connections = other.telemetry.gauges.connections
    assert set(connections) == {"active", "idle"}
    assert sum(connections.values()) >= 1


def test_queries_wait_for_readers_elsewhere(probe, other) -> None:
    """Where no reader runs, a query that names a position looks at what is stored."""
    probe.when(StartJob(job_id=A, name="dig"))
    rows = probe.run(other.queries.page(_jobs(), 10, after={"probe": 1}))[0]
    assert len(rows) == 1
    other.queries._wait_s = 0.05
    probe.send(StartJob(name="dig"))
    with pytest.raises(Exception, match=r"probe\.rows is at position 1, 1 facts behind 2"):
        probe.run(other.queries.page(_jobs(), 10, after={"probe": 2}))


def test_a_query_wakes_when_its_reader_has_passed(probe) -> None:
    async def body() -> None:
        await probe.system.follow()
        for number in range(20):
            answer = await probe.system.dispatch(StartJob(name="dig"), ann)
            after = {"probe": answer.receipt.position}
            rows, _ = await probe.system.queries.page(_jobs(), 100, after=after)
            assert len(rows) == number + 1, "read your writes"

    probe.run(body())


@pytest.mark.parametrize("store", ["postgres"])
def test_the_tables_going_away_is_unavailable_to_a_query(probe) -> None:
    async def gone() -> None:
        await probe.system.databases["probe"].close()
        probe.system.databases["probe"].reader = _unreachable()
        await probe.system.queries.page(_jobs(), 10)

    with pytest.raises(Unavailable, match="does not answer"):
        probe.run(gone())


def _unreachable() -> AsyncEngine:
    return create_async_engine("postgresql+psycopg_async://somebody@127.0.0.1:1/nowhere")


def _jobs() -> Listing:
    return jobs_called("dig")
