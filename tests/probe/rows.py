"""Jobs and their pushes as rows."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Select, select

from domain import Envelope, Event
from projections import Changes, Detail, Listing, cached, count, key, moment, table, text
from tests.probe.job import JobEnded, JobPushed, JobStarted

jobs = table(
    "jobs",
    key(),
    text("name"),
    text("status"),
    count("pushes"),
    moment("started_at"),
    count("position"),
    count("version"),
)
pushes = table(
    "pushes", key("job_id"), Column("number", BigInteger, primary_key=True), text("note")
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep a row for each job and for each push."""
    match fact:
        case JobStarted(name=name):
            rows.insert(
                jobs,
                id=at.stream,
                name=name,
                status="running",
                started_at=at.time,
                position=at.position,
                version=at.version,
            )
        case JobPushed(number=number, note=note):
            rows.insert(pushes, job_id=at.stream, number=number, note=note)
            rows.add(jobs, at.stream, pushes=1)
            rows.update(jobs, at.stream, version=at.version)
        case JobEnded():
            rows.update(jobs, at.stream, status="over", version=at.version)


def job(job_id: UUID) -> Detail:
    """One job with its pushes."""
    return Detail(
        select(jobs).where(jobs.c.id == job_id),
        {
            "pushed": select(pushes.c.number, pushes.c.note)
            .where(pushes.c.job_id == job_id)
            .order_by(pushes.c.number)
        },
    )


@cached
def job_row(job_id: UUID) -> Select[Any]:
    """One job without them."""
    return select(jobs).where(jobs.c.id == job_id)


def jobs_called(name: str) -> Listing:
    """The jobs of a name, in the order of their start."""
    return Listing(select(jobs).where(jobs.c.name == name), by=(jobs.c.position,))


def all_jobs() -> Select[Any]:
    """Every job."""
    return select(jobs).order_by(jobs.c.position)
