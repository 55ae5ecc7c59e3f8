"""Takes decisions on the commands of processes again, from the states that they were taken on.

What people send is not kept, only a digest of it. What a process sends follows from its facts, and
the states that an append was checked against are those in front of its first fact.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import msgspec

from commands import Caller, Change, Clock, Ids, Log, Receipt
from domain import Envelope, Event, Refused, State
from infra.discovery import Features
from infra.processes import COMMAND_IDS, caller_of
from infra.veil import told_apart

MAX_EXPECTED = 20_000
"""Commands whose facts are waited for; the oldest ones are left out when there are more."""

StateOf = Callable[[type[State], UUID], Awaitable[State]]
"""Returns a state as it was before the fact at hand."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class Decision(NamedTuple):
    """What a command decides."""

    context: str
    position: int
    """Of the first fact that it really led to."""
    command: str
    data: str
    """As JSON: facts by topic and stream, or why there are none."""


class Decisions:
    """The commands of processes that write to one log."""

    def __init__(self, context: str, features: Features, state_of: StateOf) -> None:
        self._context = context
        self._features = features
        self._state_of = state_of
        self._expected: OrderedDict[UUID, tuple[str, object]] = OrderedDict()

    def expect(self, saga: str, key: str, command: object) -> None:
        """Hear of a command that a saga sends under a key."""
        if self._features.handlings[type(command)].context != self._context:
            return
        self._expected[uuid5(COMMAND_IDS, f"{saga}:{key}")] = saga, command
        while len(self._expected) > MAX_EXPECTED:
            self._expected.popitem(last=False)

    async def take(self, at: Envelope) -> Decision | None:
        """Decide on the command that led to a fact, if it is its first and can be decided on."""
        saga, command = self._expected.pop(at.command_id, ("", None))
        if command is None:
            return None
        handling = self._features.handlings[type(command)]
        recalled = _Recalled(self._state_of, at)
        ports: dict[type, object] = {
            Log: recalled,
            Clock: _Then(at.time),
            Ids: _Counted(at.command_id),
            Caller: caller_of(saga),
        }
        if not set(handling.ports.values()) <= ports.keys():
            return None  # it asks the outside world
        try:
            given = {name: ports[port] for name, port in handling.ports.items()}
            await handling.handler(command, **given)
            data: Any = recalled.decided
        except Refused as refusal:
            data = f"refused: {refusal.code}"
        except Exception as raised:  # noqa: BLE001 - the candidate's answer
            data = f"{type(raised).__name__}: {raised}"
        return Decision(self._context, at.position, handling.name, _encode(data).decode())


class _Recalled:
    """A log as one command saw it; what it appends is only remembered."""

    def __init__(self, state_of: StateOf, at: Envelope) -> None:
        self.decided: list[dict[str, Any]] = []
        self._state_of = state_of
        self._at = at

    async def load(self, state: type[State], id: UUID) -> State:
        """Return a state as it was."""
        return await self._state_of(state, id)

    async def change(
        self, state: type[State], id: UUID, decide: Callable[[Any], Sequence[Event]]
    ) -> Receipt:
        """Decide."""
        for fact in decide(await self.load(state, id)):
            shown = msgspec.to_builtins(told_apart(fact))
            self.decided.append({"topic": fact.TOPIC, "stream": str(id), "fact": shown})
        return Receipt(context=self._at.context, position=self._at.position, stream=id, version=0)

    async def change_all(self, *changes: Change[Any]) -> Receipt:
        """Decide on several streams in order."""
        receipts = [await self.change(one.state, one.id, one.decide) for one in changes]
        return receipts[0]


class _Then:
    """The time when the fact was appended."""

    def __init__(self, time: datetime) -> None:
        self._time = time

    def now(self) -> datetime:
        """Return that time."""
        return self._time


class _Counted:
    """Ids and numbers that are the same whenever a decision is taken again."""

    def __init__(self, command_id: UUID) -> None:
        self._ids = (uuid5(command_id, str(number)) for number in count())

    def new(self) -> UUID:
        """Return the next id."""
        return UUID(bytes=next(self._ids).bytes, version=4)

    def number(self, digits: int) -> int:
        """Return the next number."""
        return int(next(self._ids).int % 10**digits)

    def secret(self) -> str:
        """Return the next text; what decides by it is no command of a process alone."""
        return next(self._ids).hex
