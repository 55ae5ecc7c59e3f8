"""The kernel every rule is written with: facts, states that decide, refusals, money."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, ClassVar, Self
from uuid import UUID

import msgspec

MAX_AMOUNT = 10**15
"""The largest amount of money in one fact, in minor units: ten trillion euros.

Sums of it stay far inside a 64-bit integer, which is what both stores keep.
"""

Amount = Annotated[int, msgspec.Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact: something that happened, named in the past tense, never changed again.

    `TOPIC` is its permanent name, `<context>.<feature>.<what_happened>`. Classes may be
    renamed and moved; a topic never. A new field needs a default, so that old facts still read.
    """

    TOPIC: ClassVar[str]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What an aggregate remembers in order to decide.

    Methods that decide return the facts that follow, or raise a `Refused`. `evolve` takes a
    fact in and never refuses: it already happened. Repeating a command returns no facts.
    """

    KIND: ClassVar[str]
    """`<context>.<feature>`: the first two words of the topics of its facts."""

    def evolve(self, event: Event) -> Self:
        """Return the state after `event`; the same state for a fact it need not remember."""
        raise NotImplementedError(f"{type(self).__name__} must define evolve")

    def replace(self, **changes: object) -> Self:
        """Return a copy with `changes`."""
        return msgspec.structs.replace(self, **changes)

    def fold(self, events: Iterable[Event]) -> Self:
        """Return the state after all `events`, in order."""
        state = self
        for event in events:
            state = state.evolve(event)
        return state


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a fact besides its data."""

    context: str
    stream: UUID
    version: int
    position: int
    """Place in the context's log: 1, 2, 3 … without gaps, in commit order."""
    topic: str
    time: datetime
    """UTC, assigned with the position; never runs backwards along a log."""
    actor: str
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None = None
    """The command that caused this one's command: a saga's step names the fact's command."""
    traceparent: str | None = None

    @property
    def kind(self) -> str:
        """Which aggregate the fact belongs to: `banking.transfer`."""
        return self.topic.rpartition(".")[0]


class Refused(Exception):
    """A rule said no. Subclasses are named for the rule and carry a public, stable `code`.

    Raised with a sentence that says what was wrong, with which value, and what to do.
    """

    code: ClassVar[str]

    def __init_subclass__(cls, code: str | None = None) -> None:
        if code is not None:
            cls.code = code

    @property
    def detail(self) -> str:
        """The sentence for the caller."""
        return str(self)


class NotFound(Refused, code="not_found"):
    """What the command or query names does not exist, or its existence is private."""


class Forbidden(Refused, code="forbidden"):
    """The caller may not do this, whatever the state."""


class Invalid(Refused, code="invalid"):
    """The command makes no sense in any state: a transfer to oneself, an unknown currency."""


class Money(msgspec.Struct, frozen=True):
    """An amount of one currency, in its minor unit (1250 EUR is 12.50 euros)."""

    amount: int
    currency: str
