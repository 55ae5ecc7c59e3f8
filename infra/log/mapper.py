"""Facts of this house as the eventsourcing library handles them: in an envelope, by topic."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Generic, TypeVar
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent
from eventsourcing.utils import get_topic, register_topic, resolve_topic

from domain import Envelope, Event, State
from infra.log.stored import NotifiedFact, StoredFact

S = TypeVar("S", bound=State)

MAX_DECODERS = 1_000
"""Fact classes whose decoders are kept."""


class RecordedFact(msgspec.Struct, frozen=True):
    """A fact with its place, as the library wants an event; the fact itself stays bare."""

    originator_id: UUID
    originator_version: int
    event: Event
    at: Envelope | None = None
    """What is known about it besides; None until it is read from the log."""


class Folded(msgspec.Struct, Generic[S], frozen=True):
    """A state with its place, as the library's repository wants an aggregate."""

    id: UUID
    version: int
    state: S


class FactMapper(Mapper[UUID]):
    """Maps facts by msgspec, and the library's own events as ever.

    Both pass through the application's compressor and cipher. A log whose facts are enciphered
    by one can be read by applications that have its key, not by Aorist itself.
    """

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Return the event as it is stored."""
        if not isinstance(domain_event, RecordedFact):
            return super().to_stored_event(domain_event)
        state = msgspec.json.encode(domain_event.event)
        if self.compressor:
            state = self.compressor.compress(state)
        if self.cipher:
            state = self.cipher.encrypt(state)
        return StoredEvent(
            domain_event.originator_id,
            domain_event.originator_version,
            get_topic(type(domain_event.event)),
            state,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """Return the event. Raises `MapperDeserialisationError` when its data cannot be read."""
        kind = resolve_topic(stored_event.topic)
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            return super().to_domain_event(stored_event)
        state = stored_event.state
        try:
            if self.cipher:
                state = self.cipher.decrypt(state)
            if self.compressor:
                state = self.compressor.decompress(state)
            event = _decoder(kind).decode(state)
        except Exception as error:
            raise MapperDeserialisationError(
                f"stream {stored_event.originator_id}, version {stored_event.originator_version}: "
                f"its data is no {stored_event.topic}: {error}"
            ) from error
        at = stored_event.at if isinstance(stored_event, StoredFact | NotifiedFact) else None
        id = stored_event.originator_id
        return RecordedFact(
            id if isinstance(id, UUID) else UUID(id), stored_event.originator_version, event, at
        )


def register_facts(facts: Mapping[str, type[Event]]) -> None:
    """Let the library find fact classes by their topics, wherever the classes live."""
    for topic, fact in facts.items():
        register_topic(topic, fact)


def folding(
    state: type[S],
) -> Callable[[Folded[S] | None, Iterable[RecordedFact]], Folded[S] | None]:
    """Return the `projector_func` with which a repository folds facts into a state.

    States are frozen: set DEEPCOPY_FROM_AGGREGATE_CACHE=n. A repository does not keep a
    fast-forwarded frozen state; put it back by `repository.cache.put`.
    """

    def project(folded: Folded[S] | None, facts: Iterable[RecordedFact]) -> Folded[S] | None:
        for fact in facts:
            before = folded.state if folded else state()
            folded = Folded(fact.originator_id, fact.originator_version, before.evolve(fact.event))
        return folded

    return project


@lru_cache(MAX_DECODERS)
def _decoder(kind: type[Event]) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(kind)
