"""Jobs as rows whose past is kept: changed, deleted, made anew, and only ever added."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, Select, func, select

from domain import Envelope, Event
from infra.discovery import Projecting
from projections import (
    Changes,
    Detail,
    Listing,
    count,
    document,
    key,
    moment,
    ref,
    table,
    text,
)
from projections.versions import all_tables
from tests.probe.features import FEATURES
from tests.probe.job import JobEnded, JobPushed, JobStarted

KEPT = 2
"""Pushes of a job that have a row: older ones are deleted."""

tracks = table(
    "tracks",
    key(),
    text("name"),
    text("last", nullable=True),
    document("notes"),
    count("pushes"),
    moment("started_at"),
    count("position"),
    count("version"),
    Index("tracks_by_name", "name", "position"),
    history=True,
)
steps = table(
    "steps",
    key("job_id"),
    Column("number", BigInteger, primary_key=True),
    text("note"),
    history=True,
)
told = table(
    "told",
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    ref("job_id", index=True),
    text("note"),
    history="position",
)
plain = table("plain", key(), text("name"))


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep a row for each job, its latest pushes, and all that was said."""
    match fact:
        case JobStarted(name=name):
            rows.insert(
                tracks,
                id=at.stream,
                name=name,
                notes=[],
                started_at=at.time,
                position=at.position,
                version=at.version,
            )
        case JobPushed(number=number, note=note):
            rows.add(tracks, at.stream, pushes=1)
            rows.update(tracks, at.stream, last=note, notes=[note, number], version=at.version)
            rows.insert(steps, job_id=at.stream, number=number, note=note)
            if note == "brief":
                rows.delete(steps, (at.stream, number))
            if note == "anew":
                rows.delete(steps, (at.stream, number))
                rows.insert(steps, job_id=at.stream, number=number, note="made anew")
            rows.insert(told, position=at.position, job_id=at.stream, note=note)
        case JobEnded():
            rows.delete(tracks, at.stream)


def track(job_id: UUID) -> Detail:
    """One job with its latest pushes."""
    return Detail(
        select(tracks).where(tracks.c.id == job_id),
        {"steps": select(steps).where(steps.c.job_id == job_id).order_by(steps.c.number)},
    )


def one_track(job_id: UUID) -> Select[Any]:
    """One job."""
    return select(tracks).where(tracks.c.id == job_id)


def tracks_called(name: str) -> Listing:
    """The jobs of a name, the latest first."""
    return Listing(
        select(tracks).where(tracks.c.name == name), by=(tracks.c.position,), descending=True
    )


def all_tracks() -> Listing:
    """Every job."""
    return Listing(select(tracks), by=(tracks.c.position,))


def sums() -> Listing:
    """By job, what was said: aliases, a sub-query that answers, one that is read from."""
    other = told.alias("other")
    said = (
        select(func.count()).where(told.c.job_id == tracks.c.id).correlate(tracks).scalar_subquery()
    )
    whole = (
        select(
            tracks.c.id.label("job"),
            tracks.c.position,
            said.label("said"),
            select(func.max(other.c.position))
            .where(other.c.job_id == tracks.c.id)
            .scalar_subquery()
            .label("latest"),
        )
        .where(select(steps.c.number).where(steps.c.job_id == tracks.c.id).exists())
        .subquery()
    )
    return Listing(
        select(whole, tracks.c.name).join(tracks, tracks.c.id == whole.c.job),
        by=(whole.c.position,),
    )


def mixed() -> Listing:
    """Rows of which some have no history."""
    joined = select(tracks.c.name, tracks.c.position).join(plain, plain.c.id == tracks.c.id)
    return Listing(joined, by=(tracks.c.position,))


TABLES = (tracks, steps, told)
PROJECTING = Projecting("probe.past", "probe", project, all_tables(TABLES))
PAST = replace(FEATURES, projections=(PROJECTING,))
"""The features of the probe with this projection instead of the other."""
