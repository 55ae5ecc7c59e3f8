"""The drift audit where rows do not follow from single facts: statements, parking, history."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from domain import Envelope, Event
from domain.social.profile import ProfileCreated
from infra.rebuilding.rebuild import rebuild
from infra.settings import Settings
from projections import Changes
from tests.parking import Faulty, retried
from tests.probe.job import JobEnded, PushJob, StartJob
from tests.probe.past import PAST
from tests.probe.rows import job, jobs, pushes
from tests.scenario import Scenario
from tests.social.members import ALICE, BOB, POST, deleted, drafted, edited, hidden, published
from tests.test_drift import A, B, audited, changed, lived, name_of, pass_over
from tests.test_readers import reader_of, spoil

__all__ = ["lived"]


def test_rows_that_a_statement_deletes_by_their_own_columns_are_followed(lived: Scenario) -> None:
    def project(fact: Event, at: Envelope, rows: Changes) -> None:
        if isinstance(fact, JobEnded):
            rows.run(delete(pushes).where(pushes.c.job_id == at.stream, pushes.c.number == 2))

    found = audited(lived, projecting=changed(project))
    assert found.notes == []
    assert found.differences == [f"probe.pushes {B}, 2: should not be there"]


@pytest.mark.parametrize(
    "statement",
    [
        update(pushes).values(note="x"),
        delete(pushes).where(pushes.c.number > 1),
        delete(pushes).where(pushes.c.job_id.in_(select(jobs.c.id))),
    ],
)
def test_a_table_that_other_statements_change_is_said_not_to_be_compared(
    lived: Scenario, statement: Any
) -> None:
    def project(fact: Event, at: Envelope, rows: Changes) -> None:
        if isinstance(fact, JobEnded):
            rows.run(statement)

    found = audited(lived, projecting=changed(project))
    assert found.notes == [
        "probe.pushes is changed by statements over many rows; only aorist replay compares it"
    ]
    assert (found.good, found.rows) == (True, 2)


def test_posts_whose_revisions_are_deleted_in_one_statement_are_compared(social: Scenario) -> None:
    joined = {ALICE: [ProfileCreated(name="Alice")], BOB: [ProfileCreated(name="Bob")]}
    other = UUID(int=POST.int + 1)
    history = [drafted(), edited(2, hidden, live=False), published(2)]
    social.given({**joined, POST: [*history, deleted(live=True)], other: history})
    projecting = next(p for p in social.system.features.projections if p.name == "social.post")
    found = audited(social, projecting=projecting)
    assert (found.good, found.notes, found.differences) == (True, [], [])
    assert found.rows >= 2 + 4
    social.sql(f"DELETE FROM {name_of(social, 'revisions', 'social')} WHERE revision = 2")
    assert audited(social, projecting=projecting, mend=True).mended == 1
    assert audited(social, projecting=projecting).total == 0


def test_rows_that_lack_parked_facts_are_right_until_those_are_retried(probe: Scenario) -> None:
    for command in (StartJob(job_id=A, name="a"), *[PushJob(job_id=A)] * 3):
        probe.send(command)
    faulty = Faulty(reader_of(probe.system), {3})
    reader = reader_of(probe.system)
    while probe.run(reader.step()):
        pass
    found = audited(probe, mend=True)
    assert (found.total, found.notes) == (0, ["2 parked facts are left out"])
    assert probe.rows(job(A))["pushes"] == 1
    work = pass_over(probe)
    probe.run(work.begin())
    faulty.positions.clear()
    retried(probe)
    (found,) = probe.run(work.end(mend=True, actor="olga"))
    assert found.notes == ["parked facts were let go, or its tables swapped, meanwhile"]
    found = audited(probe, mend=True)
    assert (found.total, found.notes, found.rows) == (0, [], 4)
    assert probe.rows(job(A))["pushes"] == 3


def test_a_parked_fact_that_cannot_be_read_keeps_no_row_from_being_audited(
    lived: Scenario,
) -> None:
    lived.send(PushJob(job_id=A))
    spoil(lived, lived.head(), '{"number": "x"}')
    reader = reader_of(lived.system)
    while lived.run(reader.step()):
        pass
    lived.sql(f"UPDATE {name_of(lived, 'jobs')} SET pushes = 7 WHERE status = 'over'")
    found = audited(lived, mend=True)
    assert (found.mended, found.position) == (1, lived.head())
    assert found.notes == ["1 parked facts are left out"]


def test_a_mended_row_has_the_past_that_its_facts_gave_it(settings: Settings) -> None:
    kept = Scenario(settings, "probe", features=PAST)
    try:
        for command in (StartJob(job_id=A, name="dig"), *[PushJob(job_id=A, note="n")] * 3):
            kept.when(command)
        (projecting,) = [one for one in PAST.projections if one.name == "probe.past"]
        kept.sql(f"UPDATE {name_of(kept, 'tracks')} SET pushes = 7")
        kept.sql(f"UPDATE {name_of(kept, 'tracks_history')} SET pushes = 7 WHERE pushes > 1")
        assert audited(kept, mend=True, projecting=projecting).mended == 1
        system = kept.system
        log, database = system.logs["probe"], system.databases["probe"]
        assert kept.run(rebuild(projecting, log.store, system.codec, database)).differences == []
    finally:
        kept.close()
