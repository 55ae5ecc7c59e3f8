"""The audit trail: who did what to what, when, why, from where, with which result.

It is read from the logs: every command left a receipt there, a refused one too. What operators
did beside commands stands among them, in the order of time.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from commands import Caller
from domain.identity.user import RoleGranted, RoleRevoked, User
from infra.access import USERS
from infra.interventions import interventions
from infra.log.port import Stored
from infra.machines import ACTOR, ROLE
from infra.system import System

PAGE = 500
"""Receipts, and interventions, read at once from one context."""
MAX_ACTORS = 1_000
"""Actors whose roles are remembered while a trail is read."""


class Place(NamedTuple):
    """A place in the trail: what a context has behind these two numbers comes next."""

    context: str
    receipt: int
    intervention: int

    def __str__(self) -> str:
        """Return it as a cursor shows it."""
        return ":".join(map(str, self))


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One command in the audit trail, or one thing that was done beside commands."""

    number: int
    """Its place among the receipts of its context, or among the interventions."""
    place: str
    """The cursor of what comes behind it."""
    time: datetime
    context: str
    actor: str
    roles: list[str] | None = None
    """Those that the actor had; None when none were named for one who is no user or service."""
    command: str
    resource: UUID | None
    """The aggregate it changed, or would have."""
    version: int
    position: int
    facts: int
    result: str
    """`accepted`, or the code of the refusal; `done`, or another code, for an intervention."""
    detail: str | None
    reason: str | None
    address: str | None
    agent: str | None
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None


async def trail(
    system: System,
    *,
    contexts: Iterable[str] = (),
    actor: str | None = None,
    resource: UUID | None = None,
    correlation_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: Place | None = None,
) -> AsyncIterator[Entry]:
    """Yield the entries that pass all filters: by context, in the order of its log.

    What comes up to the place `after` is left out.
    """
    filters: dict[str, Any] = {
        name: value
        for name, value in {
            "actor": actor,
            "resource": resource,
            "correlation_id": correlation_id,
            "since": since,
            "until": until,
        }.items()
        if value is not None
    }
    wanted, roles = list(contexts) or list(system.contexts), _Roles(system)
    if after is not None:
        del wanted[: wanted.index(after.context)]
    for context in wanted:
        place = after if after and after.context == context else Place(context, 0, 0)
        commands = _commands(system, context, place.receipt, filters)
        others = _interventions(system, context, place.intervention, filters)
        command, other = await anext(commands, None), await anext(others, None)
        while command or other:
            if other is None or (command is not None and command.time <= other.time):
                assert command is not None  # noqa: S101 - one of the two is there
                entry, command = command, await anext(commands, None)
                place = place._replace(receipt=entry.number)
            else:
                entry, other = other, await anext(others, None)
                place = place._replace(intervention=entry.number)
            had = entry.roles or await roles.at(entry.actor, entry.time)
            yield msgspec.structs.replace(entry, place=str(place), roles=had)


class _Roles:
    """What roles actors had at a time by the facts, for entries that have none with them."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._known: dict[UUID, list[tuple[datetime, list[str]]]] = {}
        """By user, which roles they had from when on."""

    async def at(self, actor: str, time: datetime) -> list[str] | None:
        """Return the roles that an actor had then."""
        if actor.startswith(ACTOR):
            return sorted(ROLE)
        user = Caller(actor=actor).user
        if user is None or USERS not in self._system.logs:
            return None
        if user not in self._known:
            while len(self._known) >= MAX_ACTORS:
                del self._known[next(iter(self._known))]
            self._known[user] = await self._granted(user)
        before = [roles for since, roles in self._known[user] if since <= time]
        return before[-1] if before else []

    async def _granted(self, user: UUID) -> list[tuple[datetime, list[str]]]:
        found, state = [], User()
        for one in await self._system.logs[USERS].store.stream(user):
            if one.at.topic in (RoleGranted.TOPIC, RoleRevoked.TOPIC):
                state = state.evolve(self._system.codec.decode(one))
                found.append((one.at.time, list(state.roles)))
        return found


async def _commands(
    system: System, context: str, seen: int, filters: dict[str, Any]
) -> AsyncIterator[Entry]:
    store = system.logs[context].store
    while found := await store.receipts(after=seen, limit=PAGE, **filters):
        for seen, stored in found:
            yield _command(seen, stored)


async def _interventions(
    system: System, context: str, seen: int, filters: dict[str, Any]
) -> AsyncIterator[Entry]:
    database = system.databases[context]
    while found := await interventions(database, context, after=seen, limit=PAGE, **filters):
        for row in found:
            seen = row.number
            yield _intervention(context, row)


def _command(number: int, stored: Stored) -> Entry:
    refusal = stored.refusal
    return Entry(
        number=number,
        place="",
        time=stored.time,
        context=stored.context,
        actor=stored.actor,
        roles=_names(stored.roles),
        command=stored.command,
        resource=stored.stream,
        version=stored.version,
        position=stored.position,
        facts=stored.facts,
        result=refusal.code if refusal else "accepted",
        detail=refusal.detail if refusal else None,
        reason=stored.reason,
        address=stored.address,
        agent=stored.agent,
        command_id=stored.command_id,
        correlation_id=stored.correlation_id,
        causation_id=stored.causation_id,
    )


def _intervention(context: str, row: Any) -> Entry:
    return Entry(
        number=row.number,
        place="",
        time=row.time,
        context=context,
        actor=row.actor,
        roles=_names(row.roles),
        command=f"{context}.{row.action}",
        resource=row.resource,
        version=0,
        position=row.position,
        facts=0,
        result=row.result,
        detail=f"{row.subject}: {row.detail}" if row.detail else row.subject,
        reason=row.reason,
        address=row.address,
        agent=row.agent,
        command_id=row.id,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
    )


def _names(roles: str | None) -> list[str] | None:
    return roles.split(",") if roles else None
