"""What a saga is: facts in, commands and deadlines out, no effect of its own.

A saga module is one process. It has one function:

    @saga(process=Transfer, key="transfer_id")
    def react(id: UUID, fact: Event, transfer: Transfer) -> Iterable[Step]: ...

The engine finds the process a fact belongs to, folds that process's state up to the fact,
calls `react`, dispatches the commands it yields and keeps the deadlines as rows. Command ids
are derived from (saga, fact position, step), so reacting twice to one fact has one effect.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from domain import Envelope, Event, Money, State

S = TypeVar("S", bound=State)
Locate = Callable[[Event, Envelope], UUID | None]


@dataclass(frozen=True, slots=True)
class Deadline:
    """Send `command` when `after` has passed since the fact, unless cancelled or set again.

    `name` tells the deadlines of one process apart; setting one again moves it.
    """

    name: str
    after: timedelta
    command: object


@dataclass(frozen=True, slots=True)
class Cancel:
    """Forget the deadline `name` of this process; nothing happens when there is none."""

    name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a process is, for those who look after it."""

    phase: str
    """The word of its state: `waiting`."""
    ended: bool
    """Whether nothing more will follow from it by itself."""
    at_stake: Money | None = None
    """Money that is on its way: held, taken or owed until it ends. None when there is none."""
    needs_person: bool = False
    """Whether it has given up to go on by itself."""


Step = object
"""A command, a `Deadline` or a `Cancel`."""

React = Callable[[UUID, Event, Any], Iterable[Step]]


@dataclass(frozen=True, slots=True)
class Saga:
    """A process: which facts concern it, whose state it reads, how it reacts."""

    process: type[State]
    locate: Locate
    follows: tuple[str, ...]
    react: React
    stands: Callable[[Any], Standing | None] | None = None
    compensate: Callable[[UUID, Any, str], object | None] | None = None
    undoing: tuple[type, ...] = ()


def saga(
    *,
    process: type[State],
    key: str,
    follows: tuple[str, ...] = (),
    locate: Locate | None = None,
    stands: Callable[[Any], Standing | None] | None = None,
    compensate: Callable[[UUID, Any, str], object | None] | None = None,
    undoing: tuple[type, ...] = (),
) -> Callable[[React], Saga]:
    """Declare `react` as a saga over the aggregate `process`.

    A fact belongs to the process instance whose stream it is on, or which its field `key`
    names; `locate` finds the instance for other facts, and returns None for facts that concern
    none. `follows` names the contexts whose logs are read, when not only the saga's own.

    For operators: `stands` says how far a state is, None for one that is no process of this saga;
    `compensate` returns the command that ends an instance with every step undone, for a reason,
    None when that cannot be any more; `undoing` are the commands that undo steps.
    """

    def find(fact: Event, at: Envelope) -> UUID | None:
        if at.kind == process.KIND:
            return at.stream
        named = getattr(fact, key, None)
        if isinstance(named, UUID):
            return named
        return locate(fact, at) if locate else None

    def declare(react: React) -> Saga:
        return Saga(process, find, follows, react, stands, compensate, undoing)

    return declare
