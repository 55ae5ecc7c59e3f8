"""A batch as the JSON documents that PostgreSQL's function `append` takes; see its migration.

One text for all rows of a kind costs a tenth of what arrays for their columns cost to put together.
"""

from typing import Any
from uuid import UUID

import msgspec

from infra.log.batch import Batch, FactRow
from infra.log.port import Append

Document = dict[str, Any]

_encoder = msgspec.json.Encoder()


class Receipt(msgspec.Struct, omit_defaults=True):
    """A receipt as the function reads it, and what its facts' envelopes take from it."""

    n: int
    actor: str
    command: str
    key: str
    command_id: UUID
    fingerprint: str
    correlation_id: UUID
    version: int
    last: int
    facts: int
    stream: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None
    address: str | None = None
    agent: str | None = None
    reason: str | None = None
    refusal_code: str | None = None
    refusal_detail: str | None = None
    refusal_type: str | None = None


def documents(batch: Batch) -> list[str]:
    """Return the lists of receipts, checks, readers' moves and facts."""
    lists = (
        [_receipt(n, append, batch.last[n - 1]) for n, append in enumerate(batch.appends, 1)],
        [
            {"n": n, "stream": check.stream, "expected": check.expected}
            for n, check in enumerate(batch.checks, 1)
        ],
        [
            {"append": number + 1, "reader": tracked.reader, "position": tracked.position}
            for number, tracked in batch.tracked
        ],
        [_fact(n, row) for n, row in enumerate(batch.facts, 1)],
    )
    return [_encoder.encode(rows).decode() for rows in lists]


def _receipt(n: int, append: Append, last: int) -> Receipt:
    origin, refusal = append.origin, append.refusal
    first = append.writes[0] if append.writes else None
    return Receipt(
        n,
        origin.actor,
        origin.command,
        origin.key,
        origin.command_id,
        origin.fingerprint,
        origin.correlation_id,
        first.last if first else 0,
        last,
        sum(len(write.facts) for write in append.writes),
        first.stream if first else None,
        origin.causation_id,
        origin.traceparent,
        origin.address,
        origin.agent,
        origin.reason,
        refusal.code if refusal else None,
        refusal.detail if refusal else None,
        refusal.type if refusal else None,
    )


def _fact(n: int, row: FactRow) -> Document:
    fact = row.fact
    document: Document = {
        "n": n,
        "append": row.append + 1,
        "stream": row.stream,
        "version": row.version,
        "topic": fact.topic,
    }
    # As a text in the text: what is no JSON then fails alone, and what is stays as written.
    if fact.is_json:
        document["data"] = fact.data.decode()
    else:
        document["sealed"] = fact.data.hex()
    return document
