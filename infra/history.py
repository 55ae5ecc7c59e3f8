"""An aggregate's past: its state at a version or a time, and its facts with their envelopes."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domain import Envelope, Event, Invalid, NotFound, State
from infra.discovery import Features
from infra.loading import fold
from infra.log.port import MAX_PAGE, Recorded, Store
from infra.log.unbroken import read_on
from infra.system import System
from infra.veil import veiled


class NoSuchAggregate(NotFound, code="no_such_aggregate"):
    """There is no aggregate of this kind with this id, or not yet at that version or time."""


async def state_at(
    system: System,
    kind: str,
    id: UUID,
    *,
    at_version: int | None = None,
    as_of: datetime | None = None,
) -> tuple[State, Envelope]:
    """Fold an aggregate up to a version or a time; the whole of it when neither is given.

    Returns the state, its secrets empty, and the envelope of the last fact in it.
    Raises `NoSuchAggregate`, or `LookupError` for an unknown kind.
    """
    state = kind_of(system.features, kind)
    recorded = await system.logs[kind.partition(".")[0]].store.stream(id, upto=at_version)
    if as_of is not None:
        recorded = [one for one in recorded if one.at.time <= as_of]
    if not recorded:
        raise NoSuchAggregate(
            f"no {kind} has the id {id} at that point; check the id and the point"
        )
    _require_kind(recorded, kind)
    if at_version is not None and as_of is None and recorded[-1].at.version < at_version:
        raise NoSuchAggregate(
            f"{kind} {id} is at version {recorded[-1].at.version}, not yet at {at_version}"
        )
    return veiled(fold(state, id, recorded, system.codec)), recorded[-1].at


async def facts_of(
    system: System, kind: str, id: UUID, *, after: int = 0, limit: int = MAX_PAGE
) -> list[tuple[Event, Envelope]]:
    """Return an aggregate's facts with version > `after`, in order. Raises as `state_at`."""
    kind_of(system.features, kind)
    store = system.logs[kind.partition(".")[0]].store
    recorded = await store.stream(id, after=after, limit=limit)
    if not recorded and not after:
        raise NoSuchAggregate(f"no {kind} has the id {id}; check the id")
    _require_kind(recorded, kind)
    return [(system.codec.decode(one), one.at) for one in recorded]


def _require_kind(recorded: list[Recorded], kind: str) -> None:
    if recorded and recorded[0].at.kind != kind:
        at = recorded[0].at
        raise NoSuchAggregate(f"{at.stream} is the id of a {at.kind}, not of a {kind}")


class BehindTheEnd(Invalid, code="behind_the_end"):
    """A log ends before the position that somebody wants to go on from."""


async def require_reached(store: Store, after: int) -> None:
    """Raise `BehindTheEnd` for a position that a log has not reached."""
    head = await store.head()
    if after > head:
        raise BehindTheEnd(
            f"the {store.context} log ends at position {head}, so nobody has seen {after}; go on "
            "from a position that an answer gave. If one did, the log has lost facts since"
        )


async def facts_after(
    system: System,
    context: str,
    after: int,
    *,
    topic: str | None = None,
    stream: UUID | None = None,
    page: int = MAX_PAGE,
) -> AsyncIterator[tuple[Event, Envelope]]:
    """Yield the facts of a log with position > `after`, in order; `page` are read at once.

    `topic` may be a prefix that ends in a dot. Raises `BehindTheEnd`; `CorruptFact` at one that
    cannot be read, and where one is missing in the whole of the log.
    """
    store = system.logs[context].store
    if after:
        await require_reached(store, after)
    version = 0
    while True:
        found: Sequence[Recorded]
        if stream is not None:
            found = await store.stream(stream, after=version, limit=page)
        elif topic is not None:
            found = await store.read(after, page, topics=[topic])
        else:
            found = await read_on(store, after, page)
        for one in found:
            if one.at.position > after and has_topic(one.at.topic, topic):
                yield system.codec.decode(one), one.at
        if not found or (len(found) < page and (stream or topic)):
            return
        after, version = max(after, found[-1].at.position), found[-1].at.version


def has_topic(topic: str, wanted: str | None) -> bool:
    """Tell whether a topic is the one wanted, or begins so when that ends in a dot."""
    if wanted is None:
        return True
    return topic.startswith(wanted) if wanted.endswith(".") else topic == wanted


def kind_of(features: Features, kind: str) -> type[State]:
    """Return the state of a kind of aggregate. Raises `LookupError` with the kinds there are."""
    try:
        return features.states[kind]
    except KeyError:
        raise LookupError(
            f"no aggregate is called {kind!r}; there are {', '.join(sorted(features.states))}"
        ) from None


def shown(fact: Event, at: Envelope) -> dict[str, Any]:
    """Return a fact with its envelope as plain values, for JSON; its secrets are empty."""
    plain: dict[str, Any] = msgspec.to_builtins(at)
    return {**plain, "data": msgspec.to_builtins(veiled(fact))}
