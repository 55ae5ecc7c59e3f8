"""The audit trail: who did what to what, when, why, from where, with which result.

It is read from the logs: every command left a receipt there, a refused one too. What operators
did beside commands stands among them, in the order of time.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from infra.interventions import interventions
from infra.log.port import Stored
from infra.system import System

PAGE = 500
"""Receipts, and interventions, read at once from one context."""


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
    wanted = list(contexts) or list(system.contexts)
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
            yield msgspec.structs.replace(entry, place=str(place))


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
        command=f"{context}.{row.action}",
        resource=row.resource,
        version=0,
        position=row.position,
        facts=0,
        result=row.result,
        detail=f"{row.subject}: {row.detail}" if row.detail else row.subject,
        reason=row.reason,
        address=None,
        agent=None,
        command_id=row.id,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
    )
