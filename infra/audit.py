"""The audit trail: who did what to what, when, why, from where, with which result.

It is read from the logs: every command left a receipt there, a refused one too.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from infra.log.port import Stored
from infra.system import System

PAGE = 500
"""Receipts read at once from one log."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One command in the audit trail."""

    number: int
    """Its place among the receipts of its context."""
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
    """`accepted`, or the code of the refusal."""
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
    after: tuple[str, int] | None = None,
) -> AsyncIterator[Entry]:
    """Yield the entries that pass all filters: by context, in the order of its log.

    `after` names a context and a number: what comes up to there is left out.
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
        del wanted[: wanted.index(after[0])]
    for context in wanted:
        seen = after[1] if after and after[0] == context else 0
        while found := await system.logs[context].store.receipts(after=seen, limit=PAGE, **filters):
            for number, stored in found:
                seen = number
                yield _entry(number, stored)


def _entry(number: int, stored: Stored) -> Entry:
    refusal = stored.refusal
    return Entry(
        number=number,
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
