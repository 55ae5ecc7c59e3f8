"""Parked facts in an operator's hands: retried in their order, or dropped, with a reason.

It works on the store, beside the workers that follow the logs.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.aside.dropped import DROPPED, subject_of
from infra.aside.parked import Group, hold, left_of, parked, reader_of, remove, rows_of
from infra.aside.parking import Write, concerns_a_fact, fault, parked_of, said
from infra.interventions import DONE, Intervention, record
from infra.log.port import CorruptFact
from infra.log.tail import Facts
from infra.readers import Orderly, Reader
from infra.system import System

AT_ONCE = 200
"""Facts of a key that are retried in one transaction."""
FAILED = "failed"
"""The result of a retry that failed again."""


class Retried(msgspec.Struct, frozen=True):
    """What came of retrying a group."""

    group: Group
    handled: int
    left: int
    error: str | None = None
    """Why the next one failed again."""


class _Changed(Exception):
    """Somebody else has retried or dropped some of these meanwhile."""


class By(msgspec.Struct, frozen=True):
    """Who does it, and why; `correlation_id` binds what is done together."""

    actor: str
    reason: str
    correlation_id: UUID = msgspec.field(default_factory=uuid4)


async def retry(system: System, group: Group, by: By) -> Retried:
    """Handle a group's facts in order, until one fails again; that one keeps its new error.

    Those before it stay handled. Raises what is about no fact: the store is away.
    """
    reader, handled, at_once = reader_of(system, group.reader), 0, AT_ONCE
    handle = reader.output.late if isinstance(reader.output, Orderly) else reader.output
    async with reader.turn:
        while rows := await parked(system, group, at_once):
            try:
                write = await handle(await _facts(system, reader, rows))
                left = await _settle(system, reader, group, rows, write, by)
            except _Changed:
                continue
            except Exception as error:
                if not concerns_a_fact(error):
                    raise
                if len(rows) == 1:
                    failed = await _failed(system, reader, group, rows[0], handled, error, by)
                    await reader.resume()
                    return failed
                at_once = 1  # those before the faulty one are handled
                continue
            handled += len(rows)
            if not left:
                break
        await reader.resume()
    return Retried(group, handled, 0)


async def drop(system: System, group: Group, by: By, *, whole: bool = False) -> int:
    """Leave out a group's first fact, or the whole of it; returns how many facts are left.

    What the reader makes of the others is without it from then on.
    """
    reader = reader_of(system, group.reader)
    home = reader.home
    async with reader.turn:
        async with system.databases[home].write() as connection:
            await hold(connection, reader)
            rows = (await connection.execute(rows_of(home, group, None if whole else 1))).all()
            left = await remove(connection, reader, group, rows)
            detail = f"{_places(rows)} left out, {left} facts still parked"
            await _record(connection, system, group, DROPPED, rows[0].position, detail, by)
        await reader.resume()
    return left


async def _facts(system: System, reader: Reader, rows: Sequence[Any]) -> Facts:
    store = system.logs[reader.context].store
    facts = []
    for row in rows:
        found = await store.read(row.position - 1, 1, upto=row.position)
        if not found:
            raise CorruptFact(f"{reader.context} log, position {row.position} is missing")
        facts.append((system.codec.decode(found[0]), found[0].at))
    return facts


async def _settle(
    system: System, reader: Reader, group: Group, rows: Sequence[Any], write: Write, by: By
) -> int:
    """Write what was made of the facts and let them go, together; return how many are left."""
    async with system.databases[reader.home].write() as connection:
        await hold(connection, reader)
        now = (await connection.execute(rows_of(reader.home, group, len(rows)))).all()
        if [row.position for row in now] != [row.position for row in rows]:
            raise _Changed
        await write(connection)
        left = await remove(connection, reader, group, rows)
        detail = f"{_places(rows)} handled, {left} facts still parked"
        await _record(connection, system, group, "RetryParked", rows[-1].position, detail, by)
    return left


async def _failed(
    system: System,
    reader: Reader,
    group: Group,
    row: Any,
    handled: int,
    error: Exception,
    by: By,
) -> Retried:
    table = parked_of(reader.home)
    async with system.databases[reader.home].write() as connection:
        await hold(connection, reader)
        place = (table.c.reader == reader.name) & (table.c.position == row.position)
        again = update(table).where(place).values(**fault(error), tries=table.c.tries + 1)
        await connection.execute(again)
        left = await left_of(connection, reader.home, group)
        detail = f"position {row.position}: {said(error)}"
        await _record(
            connection, system, group, "RetryParked", row.position, detail, by, result=FAILED
        )
    return Retried(group, handled, left, said(error))


async def _record(
    connection: AsyncConnection,
    system: System,
    group: Group,
    action: str,
    position: int,
    detail: str,
    by: By,
    *,
    result: str = DONE,
) -> None:
    made = Intervention(
        time=system.clock.now(),
        actor=by.actor,
        action=action,
        subject=subject_of(group.reader, group.key),
        resource=_id(group.key),
        position=position,
        result=result,
        detail=detail,
        reason=by.reason,
        correlation_id=by.correlation_id,
    )
    await record(connection, reader_of(system, group.reader).home, made)


def _places(rows: Sequence[Any]) -> str:
    first, last = rows[0].position, rows[-1].position
    return f"position {first}" if len(rows) == 1 else f"{len(rows)} facts, {first} to {last}"


def _id(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None
