"""The log's port: what goes into one append, what comes out, and what a store must do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from domain import Envelope, Forbidden, Invalid, NotFound, Refused
from infra.log.histories import Histories

MAX_PAGE = 5_000
"""Facts in one read of a log."""


class Encoded(msgspec.Struct, frozen=True):
    """A fact as it is stored: its topic, and JSON text (or opaque bytes, when enciphered)."""

    topic: str
    data: bytes
    is_json: bool = True


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent which command, why and from where. Becomes the receipt and each fact's envelope."""

    command_id: UUID
    command: str
    """`<context>.<Command>`; with `actor` it is the scope of `key`."""
    actor: str
    key: str
    """The idempotency key; the command id when the caller gave none."""
    fingerprint: str
    """Digest of the command's values: the same key with another fingerprint is refused."""
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None
    address: str | None = None
    agent: str | None = None
    reason: str | None = None
    roles: str | None = None  # those the actor had: sorted, joined by commas


class Write(msgspec.Struct, frozen=True):
    """One stream's part of an append: facts that follow version `expected`.

    Without facts it only checks that the stream is still at `expected`: a refusal, or a repeat,
    is an answer about the newest state. With `expected` None, only its versions must be free.
    """

    stream: UUID
    expected: int | None
    facts: tuple[Encoded, ...]
    versions: tuple[int, ...] = ()
    """Only with `expected` None: the version of each fact."""

    @property
    def last(self) -> int:
        """The stream's version after it."""
        return self.versions[-1] if self.versions else (self.expected or 0) + len(self.facts)


class Refusal(msgspec.Struct, frozen=True):
    """A business refusal as it is kept."""

    code: str
    detail: str
    type: str = "refused"
    """`refused`, `not_found`, `forbidden` or `invalid`: which kind of refusal."""


class Tracked(msgspec.Struct, frozen=True):
    """A reader's new position, stored with the append that its facts led to."""

    reader: str
    position: int


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """One command's effect: its writes, or its refusal, and its receipt. Never split."""

    origin: Origin
    writes: tuple[Write, ...]
    refusal: Refusal | None = None
    tracked: Tracked | None = None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The receipt row: what a command did, or why it was refused. The audit trail's source."""

    context: str
    command_id: UUID
    command: str
    actor: str
    key: str
    fingerprint: str
    correlation_id: UUID
    causation_id: UUID | None
    address: str | None
    agent: str | None
    reason: str | None
    roles: str | None
    stream: UUID | None
    version: int
    position: int
    """The position of its last fact; without facts, of the log when it was decided."""
    facts: int
    time: datetime
    refusal: Refusal | None


class Recorded(msgspec.Struct, frozen=True):
    """A fact read back, with its envelope. `fact` is decoded on first use by the codec."""

    at: Envelope
    data: bytes


class Accepted(msgspec.Struct, frozen=True):
    """The append is in the log: its last fact at `position`, or before it when it has none."""

    context: str
    append: Append
    position: int
    time: datetime

    @property
    def stream(self) -> UUID | None:
        """The first stream that it changed or looked at."""
        return self.append.writes[0].stream if self.append.writes else None

    @property
    def version(self) -> int:
        """That stream's version after it."""
        return self.append.writes[0].last if self.append.writes else 0

    @property
    def stored(self) -> Stored:
        """The whole receipt row; most callers need the place only."""
        origin = self.append.origin
        return Stored(
            context=self.context,
            command_id=origin.command_id,
            command=origin.command,
            actor=origin.actor,
            key=origin.key,
            fingerprint=origin.fingerprint,
            correlation_id=origin.correlation_id,
            causation_id=origin.causation_id,
            address=origin.address,
            agent=origin.agent,
            reason=origin.reason,
            roles=origin.roles,
            stream=self.stream,
            version=self.version,
            position=self.position,
            facts=sum(len(write.facts) for write in self.append.writes),
            time=self.time,
            refusal=self.append.refusal,
        )


class Stale(msgspec.Struct, frozen=True):
    """A stream has moved past the expected version; nothing was appended."""

    stream: UUID | None


class Repeated(msgspec.Struct, frozen=True):
    """The key was used before; nothing was appended; this is what happened then.

    `stored` of this very command id means that an earlier try was written: an answer was lost,
    or another process took the same step, perhaps deciding other facts.
    """

    stored: Stored


Outcome = Accepted | Stale | Repeated


class LogError(Exception):
    """The log could not do what was asked; the message says what to do."""


class Unavailable(LogError):
    """The store cannot be reached, or gave no answer. Try again with the same key."""


class Busy(LogError):
    """Too much is waiting to be appended. Try again later with the same key."""


class Rejected(LogError):
    """The store refused a value of this append (and of this append alone)."""


class Taken(Rejected):
    """A stream has a fact of that version already: what an append without `expected` may meet."""


class CorruptFact(LogError):
    """A stored fact cannot be read. Its position and topic are named; nothing passes it over."""

    at: Envelope | None = None
    """Its envelope, when all that cannot be read is its data."""


Key = tuple[str, str, str]
"""Actor, command and key: what a receipt is found by."""


class Store(Protocol):
    """What SQLite and PostgreSQL do for one context's log."""

    context: str
    ahead: int
    """How many batches it takes before it has answered the first; more than one if it writes beside
    this process, on another processor."""
    waited_s: float
    """For how many seconds batches stand behind those of other processes, lately."""
    histories: Histories
    """What its states are folded from."""

    async def append(self, batch: Sequence[Append]) -> list[Outcome | None]:
        """Write the whole batch in one transaction, or nothing.

        Every append is accepted and written, or nothing is: then the stale and repeated ones
        have their outcome, and None stands for those to send again without them. Raises
        `Rejected` for a value that cannot be stored (nothing written) and `Unavailable` when the
        answer was lost.
        """
        ...

    async def stream(
        self,
        id: UUID,
        after: int = 0,
        upto: int | None = None,
        limit: int | None = None,
        *,
        newest_first: bool = False,
    ) -> list[Recorded]:
        """Return the facts of a stream with `after` < version <= `upto`, in order."""
        ...

    async def read(
        self, after: int, limit: int, topics: Sequence[str] = (), upto: int | None = None
    ) -> list[Recorded]:
        """Return at most `limit` facts with `after` < position <= `upto`, in order.

        `topics` filters by topic, or by a prefix ending in a dot.
        """
        ...

    async def head(self) -> int:
        """Return the position of the last fact; 0 for an empty log."""
        ...

    async def position_at(self, time: datetime) -> int:
        """Return the position of the last fact at or before `time`."""
        ...

    async def find(self, actor: str, command: str, key: str) -> Stored | None:
        """Return the receipt under an idempotency key."""
        ...

    async def find_all(self, keys: Sequence[Key]) -> dict[Key, Stored]:
        """Return the receipts under several idempotency keys; no entry for one not used."""
        ...

    async def receipts(
        self, *, after: int = 0, limit: int, **filters: object
    ) -> list[tuple[int, Stored]]:
        """Return numbered receipts with number > `after` that pass all filters, oldest first.

        Filters: `actor`, `correlation_id`, `since`, `until` (times) and `resource` (a stream).
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


REFUSAL_TYPES: tuple[type[Refused], ...] = (NotFound, Forbidden, Invalid)


def refusal_of(error: Refused) -> Refusal:
    """Return `error` as it is kept."""
    kind = next((base.code for base in REFUSAL_TYPES if isinstance(error, base)), "refused")
    return Refusal(error.code, error.detail, kind)


def refused_again(refusal: Refusal) -> Refused:
    """Return a kept refusal as the exception it was; its code says which rule it is."""
    base = next((base for base in REFUSAL_TYPES if base.code == refusal.type), Refused)
    again: Refused = type("RefusedBefore", (base,), {}, code=refusal.code)(refusal.detail)
    return again
