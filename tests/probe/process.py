"""The life of a job: each push keeps a note, and a job without pushes ends by itself."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID, uuid5

from domain import Event
from sagas import Cancel, Deadline, Step, saga
from tests.probe.job import EndJob, Job, JobEnded, JobPushed, JobStarted, KeepNote

NOTES = UUID("5d9f5b0e-90c4-4f0e-8a5e-3a0f3a1f9c11")


@saga(process=Job, key="job_id")
def react(id: UUID, fact: Event, job: Job) -> Iterable[Step]:
    match fact:
        case JobStarted(hours=hours):
            yield Deadline("idle", timedelta(hours=hours), EndJob(job_id=id, reason="idle"))
        case JobPushed(number=number, note=note):
            yield KeepNote(note_id=uuid5(NOTES, f"{id}:{number}"), job_id=id, text=note)
            yield Deadline("idle", timedelta(hours=1), EndJob(job_id=id, reason="idle"))
            if note == "enough":
                yield EndJob(job_id=id, reason=f"enough after {job.pushes}")
        case JobEnded():
            yield Cancel("idle")
