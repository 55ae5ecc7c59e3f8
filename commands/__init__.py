"""What a command is, what its handler may ask for, and how the two are tied."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Generic, Protocol, TypeVar, dataclass_transform
from uuid import UUID

import msgspec
from pydantic import AfterValidator, ConfigDict, Field, Strict, StringConstraints
from pydantic.dataclasses import dataclass as validated

from domain import MAX_AMOUNT, Event, State, is_derived

S = TypeVar("S", bound=State)
C = TypeVar("C")
T = TypeVar("T")
Handler = Callable[..., Awaitable["Receipt"]]

MAX_QUANTITY = 10**9
MAX_NAME = 200
MAX_TEXT = 10_000
MAX_SPELT = 256
"""Sets of roles whose spelling is kept: every command has one, and there are few."""

Positive = Annotated[int, Strict(), Field(gt=0, le=MAX_AMOUNT)]
"""An amount of money to move, in minor units."""
NonNegative = Annotated[int, Strict(), Field(ge=0, le=MAX_AMOUNT)]
Quantity = Annotated[int, Strict(), Field(gt=0, le=MAX_QUANTITY)]
"""A number of pieces."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(examples=["EUR"])]
"""An ISO 4217 code."""
# Control characters have no place in a name or a reason; a NUL cannot even be stored in PostgreSQL.
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]
"""Longer text; may be empty and have line breaks."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def part(cls: type[T]) -> type[T]:
    """Make `cls` a part of commands (an order's line): frozen, validated on construction."""
    return validated(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))(cls)  # type: ignore[return-value]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def command(cls: type[T]) -> type[T]:
    """Make `cls` a command: a frozen dataclass whose values are validated on construction.

    Unknown fields and wrong types raise `pydantic.ValidationError`. An id that the caller may
    leave out is declared `UUID | None = None`; the handler then takes `ids.new()`.
    """
    made = part(cls)
    made.IS_COMMAND = True  # type: ignore[attr-defined]
    return made


def _not_derived(id: UUID) -> UUID:
    if is_derived(id):
        raise ValueError(f"{id} is a version 5 UUID; choose a random or time-ordered one")
    return id


ChosenId = Annotated[UUID, AfterValidator(_not_derived)]
"""An id that the caller chooses for something new; see `domain.is_derived`."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller gets for a command: where its facts ended in the log.

    A command that changed nothing (a repeat) gets the position and version it found.
    """

    context: str
    position: int
    stream: UUID
    version: int


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends a command or a query, and from where."""

    actor: str
    """A user's id, or the name of a service such as `saga:banking.transfer`."""
    roles: frozenset[str] = frozenset()
    address: str | None = None
    agent: str | None = None
    reason: str | None = None
    """Why, in the caller's words, for the audit trail."""
    own_only: bool = False
    """Whether they may act on what is theirs alone; that is looked at where it is loaded."""

    def __post_init__(self) -> None:
        """Write a user's id in one way, so that one person is one actor however it was spelt."""
        if self.user:
            msgspec.structs.force_setattr(self, "actor", str(self.user))

    @property
    def user(self) -> UUID | None:
        """The actor as a user's id; None for a service."""
        try:
            return UUID(self.actor)
        except ValueError:
            return None

    @property
    def acting(self) -> str | None:
        """The roles as they are kept with what is done: sorted, joined by commas; None for none."""
        return _spelt(self.roles) if self.roles else None


@lru_cache(maxsize=MAX_SPELT)
def _spelt(roles: frozenset[str]) -> str:
    return ",".join(sorted(roles))


class Change(Generic[S]):
    """One stream's part of an append to several: which state, which id, what it decides."""

    __slots__ = ("decide", "id", "state")

    def __init__(self, state: type[S], id: UUID, decide: Callable[[S], Sequence[Event]]) -> None:
        self.state = state
        self.id = id
        self.decide = decide


class Log(Protocol):
    """The context's log, as one command sees it. A command commits at most once."""

    async def load(self, state: type[S], id: UUID) -> S:
        """Return the state of one aggregate; the initial state when it has no facts."""
        ...

    async def change(
        self, state: type[S], id: UUID, decide: Callable[[S], Sequence[Event]]
    ) -> Receipt:
        """Load, decide, append; decide again on the newer state when another writer was faster.

        `decide` must be pure: it may be called several times. Whatever it raises is raised here.
        """
        ...

    async def change_all(self, *changes: Change[Any]) -> Receipt:
        """Change several streams of the context in one append, all or nothing.

        The receipt is the first one's. Decisions are taken in order, each once per attempt.
        """
        ...


class Clock(Protocol):
    """The time, for rules that need one."""

    def now(self) -> datetime:
        """Return the time now, in UTC."""
        ...


class Ids(Protocol):
    """New identifiers and numbers; the only source of chance a handler has."""

    def new(self) -> UUID:
        """Return a new UUIDv7."""
        ...

    def number(self, digits: int) -> int:
        """Return a random integer of at most `digits` decimal digits."""
        ...

    def secret(self) -> str:
        """Return a new text of 256 random bits, as it may stand in an address of the web."""
        ...


def handles(command_type: type[C], *, step: bool = False) -> Callable[[Handler], Handler]:
    """Declare a coroutine function as the handler of `command_type`.

    Its first parameter takes the command; every other one names a port by its annotation
    (`Log`, `Clock`, `Ids`, `Caller`, or a port of the outside world) and is given it. A `step` is
    taken by processes only: sent by anybody else it is refused with `ProcessOnly`.
    """

    def tie(handler: Handler) -> Handler:
        if not inspect.iscoroutinefunction(handler):
            raise TypeError(f"the handler of {command_type.__name__} must be `async def`")
        handler.handles = command_type  # type: ignore[attr-defined]
        handler.is_step = step  # type: ignore[attr-defined]
        return handler

    return tie
