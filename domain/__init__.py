"""The kernel every rule is written with: facts, states that decide, refusals, money."""

from collections.abc import Iterable, MutableMapping
from datetime import datetime
from typing import Annotated, ClassVar, Self, TypeVar
from uuid import UUID

import msgspec

MAX_AMOUNT = 10**15
"""The largest amount of money in one fact, in minor units: ten trillion euros.

Sums of it stay far inside a 64-bit integer, which is what both stores keep.
"""

MAX_BREACHES = 100
"""How many breaches a watcher names; a log with more needs no longer list."""

Amount = Annotated[int, msgspec.Meta(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]

T = TypeVar("T")
PERSONAL = {"personal": True}
Personal = Annotated[T, msgspec.Meta(extra=PERSONAL)]
"""A field of a fact that tells something of a person: `email: Personal[str]`.

The mark says what must never come into log lines, metrics or errors, and reaches the schemas.
"""
SECRET = {**PERSONAL, "secret": True}
Secret = Annotated[T, msgspec.Meta(extra=SECRET)]
"""A text of a fact or a state by which somebody could pass for another: `hash: Secret[str]`.

It is in the log, for the rules. Wherever facts and states are shown or sent it is empty.
"""


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
    OWNER: ClassVar[str] = ""
    """The field that says whose it is; empty when it is nobody's in particular."""
    SNAPSHOT_EVERY: ClassVar[int] = 500
    """Facts after which a stream's state is kept as a snapshot, so that loading it folds fewer."""

    @property
    def owner(self) -> UUID | None:
        """Whose it is; None when it is nobody's in particular.

        Who may act for themselves only changes nothing that is another's.
        """
        return getattr(self, self.OWNER) if self.OWNER else None

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


class Unproven(Refused, code="unproven"):
    """Who is asking has not shown who they are."""


class Forbidden(Refused, code="forbidden"):
    """The caller may not do this, whatever the state."""


class NotYours(Forbidden, code="not_yours"):
    """The caller may do this for themselves only, and it would be another's."""


class Invalid(Refused, code="invalid"):
    """The command makes no sense in any state: a transfer to oneself, an unknown currency."""


PROCESS = "saga:"
"""What the names of processes begin with, as actors."""


class ProcessOnly(Forbidden, code="process_only"):
    """The command is a step of a process. Sent by anybody else it could make or lose something."""


def is_process(actor: str) -> bool:
    """Tell whether the actor is a process, not a person or a service."""
    return actor.startswith(PROCESS)


DERIVED_VERSION = 5


def is_derived(id: UUID) -> bool:
    """Tell whether an id follows from others: a name-based UUID, which anybody can compute.

    Claims, pairs and what processes ask for live under such ids. They are not free to be chosen:
    whoever put something else there would keep the right one from coming into being.
    """
    return id.version == DERIVED_VERSION


class Money(msgspec.Struct, frozen=True):
    """An amount of one currency, in its minor unit (1250 EUR is 12.50 euros)."""

    amount: int
    currency: str


Place = tuple[object, ...]
"""Where a watcher keeps something: a word and the ids it is about. It is written out as text."""


class Watcher:
    """One invariant of a whole log: sees every fact in order, and says which one broke it.

    `domain/<context>/invariants.py` has a function `watch()` that returns fresh ones. What a
    watcher remembers from fact to fact is in its `memory` and nowhere else: numbers and texts by
    place, so that another one goes on from there, and only what a fact is about need be at hand.
    A fact that broke the rule is told once; what it left behind is the ground for the next one.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.memory: MutableMapping[Place, int | str] = {}
        self._breaches: list[str] = []

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        raise NotImplementedError(f"{type(self).__name__} must define see")

    def breaches(self) -> list[str]:
        """Return a sentence for each breach up to here; none when the invariant held."""
        return self._breaches

    def told(self) -> list[str]:
        """Return the breaches since this was asked last, which are forgotten then."""
        found, self._breaches = self._breaches, []
        return found

    def unfinished(self) -> list[str]:
        """Return what is a breach if the log ends here: the half of something."""
        return []

    def require(self, held: bool, sentence: str) -> None:
        """Note a breach unless it `held`."""
        if not held:
            self.breach(sentence)

    def breach(self, sentence: str) -> None:
        """Note a breach."""
        if len(self._breaches) < MAX_BREACHES:
            self._breaches.append(sentence)

    # What it remembers

    def knows(self, *place: object) -> bool:
        """Tell whether something is kept there."""
        return place in self.memory

    def number(self, *place: object) -> int:
        """Return the number that is kept there; 0 for none."""
        return int(self.memory.get(place, 0))

    def text(self, *place: object) -> str | None:
        """Return the text that is kept there."""
        found = self.memory.get(place)
        return None if found is None else str(found)

    def keep(self, value: int | str, *place: object) -> None:
        """Keep a number or a text."""
        self.memory[place] = value

    def add(self, amount: int, *place: object) -> int:
        """Add to a number and return it; a sum of 0 takes no room."""
        total = self.number(*place) + amount
        if total:
            self.memory[place] = total
        else:
            self.forget(*place)
        return total

    def forget(self, *place: object) -> None:
        """Keep nothing there any more."""
        self.memory.pop(place, None)
