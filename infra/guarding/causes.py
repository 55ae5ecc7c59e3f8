"""The causal chain of a fact: which command made it, which one caused that, back to the first."""

from uuid import UUID

from domain import Envelope
from infra.log.port import MAX_PAGE, Store, Stored

MAX_CAUSES = 20
"""Commands in one chain."""
MAX_LOOKED_AT = 10 * MAX_PAGE
"""Receipts of one correlation that are looked through."""


async def causes_of(store: Store, at: Envelope) -> list[Stored]:
    """Return the receipts of the commands that led to a fact, its own first.

    A chain ends where a receipt is missing, belongs to another context, or after `MAX_CAUSES`.
    """
    receipts = await _receipts(store, at.correlation_id)
    chain: list[Stored] = []
    wanted: UUID | None = at.command_id
    while wanted in receipts and len(chain) < MAX_CAUSES:
        chain.append(receipts.pop(wanted))
        wanted = chain[-1].causation_id
    return chain


def chain_of(at: Envelope, causes: list[Stored] | None) -> str:
    """Return a chain in words, one command a line; the fact comes first. None: not looked up."""
    fact = f"{at.context}={at.position} {at.topic} {at.stream} v{at.version}"
    lines = [f"{fact}, correlation {at.correlation_id}"]
    lines += [
        f"by {one.command} {one.command_id} of {one.actor} at {one.time.isoformat()}"
        + (f": {one.reason}" if one.reason else "")
        for one in causes or ()
    ]
    if causes is None:
        lines.append(f"by command {at.command_id} of {at.actor}")
    elif not causes:
        lines.append(f"by command {at.command_id} of {at.actor}, which left no receipt")
    elif causes[-1].causation_id:
        lines.append(f"caused by {causes[-1].causation_id}, which is not in this log")
    return "\n".join(lines)


async def _receipts(store: Store, correlation_id: UUID) -> dict[UUID, Stored]:
    found: dict[UUID, Stored] = {}
    after = 0
    while len(found) < MAX_LOOKED_AT:
        page = await store.receipts(after=after, limit=MAX_PAGE, correlation_id=correlation_id)
        found.update((stored.command_id, stored) for _, stored in page)
        if len(page) < MAX_PAGE:
            break
        after = page[-1][0]
    return found
