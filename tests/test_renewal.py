"""Tables of another version: queries that fit them are answered, the others are told why not."""

from collections.abc import Callable, Iterator

import pytest

from infra.aside.parking import concerns_a_fact
from infra.rebuilding.rebuild import rebuild
from infra.rebuilding.renewal import BeingRebuilt, told
from infra.rebuilding.shadow import Shadow
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.probe.features import FEATURES
from tests.probe.job import PushJob
from tests.probe.rows import all_jobs, job
from tests.scenario import Scenario
from tests.test_readers import reader_of
from tests.test_swap import PROJECTING, A, given_jobs, place

OUTDATED = "version = 'old'"
CHANGED = "version = 'old', layout = 'old'"


def outdate(probe: Scenario, values: str = CHANGED) -> None:
    statement = f"UPDATE {place(probe, 'probe', 'versions')} SET {values}"
    returning = "" if probe.system.databases["probe"].is_sqlite else " RETURNING 1"
    probe.sql(statement + returning)


def reopened(probe: Scenario, settings: Settings) -> System:
    system: System = probe.run(open_system(settings, features=FEATURES))
    probe.run(probe.system.close())
    probe.system = system
    return system


@pytest.fixture
def lived(probe: Scenario) -> Scenario:
    given_jobs(probe, jobs=2, pushes=3)
    return probe


Rename = Callable[[str, str, str], None]


@pytest.fixture
def rename(lived: Scenario) -> Iterator[Rename]:
    """Renames a column until the end of the test: stores outlive it."""
    done: list[str] = []

    def renamed(table: str, name: str, other: str) -> None:
        altered = f"ALTER TABLE {place(lived, 'probe', table)} RENAME COLUMN"
        lived.sql(f"{altered} {name} TO {other}")
        done.append(f"{altered} {other} TO {name}")

    yield renamed
    for statement in done:
        lived.sql(statement)


def test_what_was_filled_by_this_code_is_not_outdated(lived: Scenario, settings: Settings) -> None:
    assert reopened(lived, settings).outdated == []


def test_same_tables_are_followed_by_the_new_code_meanwhile(
    lived: Scenario, settings: Settings
) -> None:
    outdate(lived, OUTDATED)
    system = reopened(lived, settings)
    assert [(one.projecting.name, one.fits) for one in system.outdated] == [("probe.rows", True)]
    lived.when(PushJob(job_id=A, note="on"))
    assert lived.rows(job(A))["pushes"] == 4


def test_changed_tables_are_left_alone_and_serve_what_fits(
    lived: Scenario, settings: Settings, rename: Rename
) -> None:
    rename("jobs", "name", "title")
    outdate(lived)
    system = reopened(lived, settings)
    assert [reader.name for reader in system.standing_by] == ["probe.rows"]
    lived.when(PushJob(job_id=A, note="on"))
    assert lived.rows(all_jobs().with_only_columns(all_jobs().selected_columns.pushes)) == [
        {"pushes": 3},
        {"pushes": 3},
    ]
    with pytest.raises(BeingRebuilt, match=r"probe\.rows is of another version of the program"):
        lived.rows(job(A))


def test_it_says_how_far_the_rebuild_is_and_goes_on_afterwards(
    lived: Scenario, settings: Settings
) -> None:
    lived.sql(f"ALTER TABLE {place(lived, 'probe', 'jobs')} RENAME COLUMN name TO title")
    outdate(lived)
    system = reopened(lived, settings)
    database, log = system.databases["probe"], system.logs["probe"]
    shadow = Shadow(PROJECTING, database)

    async def work() -> list[str | None]:
        await shadow.begin()
        async with database.write() as connection:
            await shadow.hold(connection, 2, 8)
        before = await told(database, PROJECTING)
        given = (PROJECTING, log.store, system.codec, database)
        assert (await rebuild(*given, accept=True, afresh=True)).swapped
        await system.renewed(system.outdated[0])
        return [before, await told(database, PROJECTING)]

    said = "probe.rows is being rebuilt for this version of the program: 2 of 8 facts, 25 %"
    assert lived.run(work()) == [said, None]
    assert (system.outdated, system.standing_by) == ([], [])
    lived.when(PushJob(job_id=A, note="on"))
    assert lived.rows(job(A))["pushes"] == 4
    assert reader_of(system).position == lived.head()


def test_a_worker_of_the_old_code_parks_nothing_when_its_tables_are_gone(
    lived: Scenario, rename: Rename
) -> None:
    rename("pushes", "note", "remark")
    lived.send(PushJob(job_id=A, note="on"))
    with pytest.raises(Exception, match=r"note") as raised:
        lived.run(reader_of(lived.system).step())
    assert not concerns_a_fact(raised.value)
