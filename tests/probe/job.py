"""Jobs: facts, state, commands and handlers of the tests' own context."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from commands import Change, Clock, Ids, Log, Name, Receipt, Text, command, handles
from domain import Event, Invalid, NotFound, Refused, State


class JobStarted(Event, frozen=True):
    TOPIC = "probe.job.started"
    name: str
    hours: int = 1


class JobPushed(Event, frozen=True):
    TOPIC = "probe.job.pushed"
    number: int
    note: str = ""


class JobEnded(Event, frozen=True):
    TOPIC = "probe.job.ended"
    reason: str


class NoteKept(Event, frozen=True):
    TOPIC = "probe.note.kept"
    job_id: UUID
    text: str


class NoSuchJob(NotFound, code="no_such_job"):
    """Nobody started it."""


class JobOver(Refused, code="job_over"):
    """It has ended."""


class OddName(Invalid, code="odd_name"):
    """A name that is never right."""


class Job(State, frozen=True):
    KIND = "probe.job"
    SNAPSHOT_EVERY = 4
    status: str = "new"
    pushes: int = 0

    def start(self, name: str, hours: int) -> list[Event]:
        if name == "odd":
            raise OddName(f"a job cannot be called {name!r}; choose another name")
        return [JobStarted(name=name, hours=hours)] if self.status == "new" else []

    def push(self, note: str) -> list[Event]:
        if self.status == "new":
            raise NoSuchJob("there is no such job; start it first")
        if self.status == "over":
            raise JobOver(f"the job has ended after {self.pushes} pushes; start another")
        return [JobPushed(number=self.pushes + 1, note=note)]

    def end(self, reason: str) -> list[Event]:
        return [JobEnded(reason=reason)] if self.status == "running" else []

    def evolve(self, event: Event) -> "Job":
        match event:
            case JobStarted():
                return Job(status="running")
            case JobPushed(number=number):
                return self.replace(pushes=number)
            case JobEnded():
                return self.replace(status="over")
        return self


class Note(State, frozen=True):
    KIND = "probe.note"
    SNAPSHOT_EVERY = 0
    text: str | None = None

    def keep(self, job_id: UUID, text: str) -> list[Event]:
        if text == "refused":
            raise JobOver("this note is refused; write another")
        return [] if self.text == text else [NoteKept(job_id=job_id, text=text)]

    def evolve(self, event: Event) -> "Note":
        return Note(text=event.text) if isinstance(event, NoteKept) else self


@command
class StartJob:
    """Start a job."""

    job_id: UUID | None = None
    name: Name
    hours: Annotated[int, Field(ge=0, le=1_000)] = 1


@command
class PushJob:
    """Push a job on."""

    job_id: UUID
    note: Text = ""


@command
class PushBoth:
    """Push two jobs, or none."""

    job_id: UUID
    other_id: UUID


@command
class CountJob:
    """Push a job with the number of its pushes, read beforehand, as the note."""

    job_id: UUID


@command
class EndJob:
    """End a job."""

    job_id: UUID
    reason: Name
    at: datetime | None = None


@command
class KeepNote:
    """Keep a note of a job."""

    note_id: UUID
    job_id: UUID
    text: Text


@handles(StartJob)
async def start_job(c: StartJob, log: Log, ids: Ids) -> Receipt:
    return await log.change(Job, c.job_id or ids.new(), lambda j: j.start(c.name, c.hours))


@handles(PushJob)
async def push_job(c: PushJob, log: Log) -> Receipt:
    return await log.change(Job, c.job_id, lambda j: j.push(c.note))


@handles(PushBoth)
async def push_both(c: PushBoth, log: Log) -> Receipt:
    return await log.change_all(
        Change(Job, c.job_id, lambda j: j.push("both")),
        Change(Job, c.other_id, lambda j: j.push("both")),
    )


@handles(CountJob)
async def count_job(c: CountJob, log: Log, ids: Ids) -> Receipt:
    before = (await log.load(Job, c.job_id)).pushes
    await log.load(Note, ids.new())  # takes its time: others decide meanwhile
    return await log.change(Job, c.job_id, lambda j: j.push(str(before)))


@handles(EndJob)
async def end_job(c: EndJob, log: Log, clock: Clock) -> Receipt:
    return await log.change(Job, c.job_id, lambda j: j.end(c.reason))


@handles(KeepNote)
async def keep_note(c: KeepNote, log: Log) -> Receipt:
    return await log.change(Note, c.note_id, lambda n: n.keep(c.job_id, c.text))
