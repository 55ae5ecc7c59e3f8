"""Process instances as operators see them: how far each is, what it waits for, what is at stake.

Everything is read from the facts of the process, its receipts, its deadlines and what is parked.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from domain import PROCESS, Envelope, Event, Money, State
from infra.aside.parked import Group, groups
from infra.discovery import Running
from infra.loading import fold
from infra.log.port import MAX_PAGE, Recorded
from infra.log.tail import Facts
from infra.processes import caller_of, deadlines_of
from infra.system import System
from sagas import Standing

MAX_OPEN = 100_000
"""Instances in memory while a log is walked through: the longest silent go first."""
MAX_FACTS = 1_000
"""Facts and steps that are looked at of one instance."""
OVERDUE = timedelta(minutes=1)
"""After which a deadline that is due and has not fired makes its process a stuck one."""


class Due(msgspec.Struct, frozen=True):
    """A deadline of an instance."""

    name: str
    due: datetime
    command: str


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One process instance."""

    saga: str
    id: UUID
    phase: str
    ended: bool
    stuck: str | None
    """Why it does not go on by itself; None while it does."""
    at_stake: Money | None
    since: datetime
    """The time of its last fact."""
    deadlines: list[Due]
    parked: list[Group]
    state: State


class NoSuchProcess(LookupError):
    """No process has this id; the message says what to do."""


async def instances(system: System, *, saga: str | None = None) -> AsyncIterator[Instance]:
    """Yield the instances of one saga or of all, ended ones too, the longest silent first.

    Those of sagas that do not say how far a state is have no such list. Raises `LookupError`.
    """
    for running in sagas_of(system, saga):
        if running.saga.stands is None:
            continue
        deadlines, parked = await _due(system, running), await _parked(system, running)
        async for id, state, at in _states(system, running):
            found = _instance(system, running, id, state, at.time, deadlines, parked)
            if found is not None:
                yield found


async def instance_of(system: System, id: UUID, saga: str | None = None) -> list[Instance]:
    """Return what an id is an instance of: one for each saga. Raises `NoSuchProcess`."""
    found = []
    for running in sagas_of(system, saga):
        recorded = await _own(system, running, id)
        if not recorded or recorded[0].at.kind != running.saga.process.KIND:
            continue
        state: State = fold(running.saga.process, id, recorded, system.codec)
        deadlines = await _due(system, running, id)
        parked = await _parked(system, running, id)
        last = recorded[-1].at.time
        instance = _instance(system, running, id, state, last, deadlines, parked)
        if instance is not None:
            found.append(instance)
    if not found:
        raise NoSuchProcess(f"no process has the id {id}; see `aorist sagas list`")
    return found


def sagas_of(system: System, name: str | None = None) -> list[Running]:
    """Return the sagas of this system, or the one that is named. Raises `LookupError`."""
    running = [one for one in system.features.sagas if one.context in system.contexts]
    found = [one for one in running if name in (None, one.name)]
    if not found:
        there = ", ".join(one.name for one in running)
        raise LookupError(f"no saga is called {name!r}; there are {there}")
    return found


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A command that a saga sent for an instance."""

    time: datetime
    command: str
    attempt: int
    """The how-manieth of its name."""
    answers: str
    """The fact that it follows from, the deadline that fired it, or the hand that sent it."""
    result: str
    detail: str | None
    undoes: bool
    """Whether it undoes a step."""
    context: str
    position: int
    facts: int


async def steps(system: System, instance: Instance) -> list[Step]:
    """Return the commands that were sent for an instance, oldest first; the first `MAX_FACTS`."""
    [running] = sagas_of(system, instance.saga)
    undoing = {system.features.handlings[one].name for one in running.saga.undoing}
    correlations = {one.at.correlation_id for one in await _own(system, running, instance.id)}
    found: list[tuple[str, Any]] = []
    for log in system.logs.values():
        for correlation in correlations:
            sent = await log.store.receipts(
                limit=MAX_FACTS, actor=caller_of(running.name).actor, correlation_id=correlation
            )
            for _, stored in sent:
                if answers := await _answers(system, running, instance.id, stored.key):
                    found.append((answers, stored))
    counts: dict[str, int] = {}
    made = []
    for answers, stored in sorted(found, key=lambda one: (one[1].time, one[1].position)):
        counts[stored.command] = counts.get(stored.command, 0) + 1
        made.append(
            Step(
                time=stored.time,
                command=stored.command,
                attempt=counts[stored.command],
                answers=answers,
                result=stored.refusal.code if stored.refusal else "accepted",
                detail=stored.refusal.detail if stored.refusal else stored.reason,
                undoes=stored.command in undoing,
                context=stored.context,
                position=stored.position,
                facts=stored.facts,
            )
        )
    return made[:MAX_FACTS]


async def concerning(system: System, instance: Instance) -> Facts:
    """Return the facts that concern an instance, in the order of time: its own, and answers."""
    [running] = sagas_of(system, instance.saga)
    recorded = list(await _own(system, running, instance.id))
    for step in await steps(system, instance):
        if step.facts:
            store = system.logs[step.context].store
            recorded += await store.read(step.position - step.facts, step.facts)
    found: dict[tuple[str, int], tuple[Event, Envelope]] = {}
    for one in recorded:
        fact = system.codec.decode(one)
        if running.saga.locate(fact, one.at) == instance.id:
            found[one.at.context, one.at.position] = fact, one.at
    return sorted(found.values(), key=lambda pair: (pair[1].time, pair[1].position))


def _instance(
    system: System,
    running: Running,
    id: UUID,
    state: State,
    since: datetime,
    deadlines: dict[UUID, list[Due]],
    parked: dict[str, list[Group]],
) -> Instance | None:
    stands = running.saga.stands
    standing = stands(state) if stands else Standing("unknown", ended=True)
    if standing is None:
        return None
    due, aside = deadlines.get(id, []), parked.get(str(id), [])
    return Instance(
        saga=running.name,
        id=id,
        phase=standing.phase,
        ended=standing.ended,
        stuck=_stuck(standing, due, aside, system.clock.now()),
        at_stake=standing.at_stake,
        since=since,
        deadlines=due,
        parked=aside,
        state=state,
    )


def _stuck(
    standing: Standing, due: Sequence[Due], parked: Sequence[Group], now: datetime
) -> str | None:
    if parked:
        facts = sum(group.facts for group in parked)
        return f"{facts} facts parked: {parked[0].error or 'those before were dropped'}"
    if standing.needs_person:
        return "gave up to go on by itself"
    late = [one.name for one in due if one.due + OVERDUE < now]
    return f"deadline {late[0]!r} has not fired" if late else None


async def _states(system: System, running: Running) -> AsyncIterator[tuple[UUID, State, Envelope]]:
    """Walk through the log once, and yield the states as they are at its end."""
    process = running.saga.process
    store = system.logs[process.KIND.partition(".")[0]].store
    found: OrderedDict[UUID, tuple[State, Envelope]] = OrderedDict()
    position = 0
    while page := await store.read(position, MAX_PAGE, topics=[f"{process.KIND}."]):
        for one in page:
            position, id = one.at.position, one.at.stream
            known = found.get(id)
            if known is None and one.at.version > 1:
                before = await store.stream(id, upto=one.at.version - 1)
                known = fold(process, id, before, system.codec), one.at
            state = known[0] if known else process()
            found[id] = state.evolve(system.codec.decode(one)), one.at
            found.move_to_end(id)
            if len(found) > MAX_OPEN:
                found.popitem(last=False)
    for id, (state, at) in found.items():
        yield id, state, at


async def _own(system: System, running: Running, id: UUID) -> Sequence[Recorded]:
    context = running.saga.process.KIND.partition(".")[0]
    if context not in system.logs:
        return ()
    return await system.logs[context].store.stream(id, limit=MAX_FACTS)


async def _due(system: System, running: Running, id: UUID | None = None) -> dict[UUID, list[Due]]:
    table = deadlines_of(running.context)
    query = select(table).where(table.c.saga == running.name).order_by(table.c.due)
    if id is not None:
        query = query.where(table.c.process == id)
    found: dict[UUID, list[Due]] = {}
    async with system.databases[running.context].read() as connection:
        for row in await connection.execute(query):
            found.setdefault(row.process, []).append(Due(row.name, row.due, row.command))
    return found


async def _parked(
    system: System, running: Running, id: UUID | None = None
) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in await groups(system, key=None if id is None else str(id)):
        if group.reader.startswith(f"{PROCESS}{running.name}@"):
            found.setdefault(group.key, []).append(group)
    return found


async def _answers(system: System, running: Running, id: UUID, key: str) -> str | None:
    """Return what a step of an instance follows from; None for one of another instance."""
    if f":{id}:" in key:  # sent by hand
        return key.partition(":")[0]
    *way, context, position, _ = key.split(":") if key.count(":") > 1 else ("", "", "")
    if context not in system.logs or not position.isdigit():
        return None
    found = await system.logs[context].store.read(int(position) - 1, 1)
    if not found or running.saga.locate(system.codec.decode(found[0]), found[0].at) != id:
        return None
    return " ".join(way) if way else f"{context} {position} {found[0].at.topic}"
