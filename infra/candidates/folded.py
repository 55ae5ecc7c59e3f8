"""States of all streams of a log, folded fact by fact, and what the sagas make of each fact."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from domain import Envelope, Event, State
from infra.candidates.redecide import Decision, Decisions
from infra.candidates.scratch import Folding, Step
from infra.discovery import Features, Running
from infra.loading import IdTaken, fold
from infra.log.codec import Codec
from infra.log.port import Store
from infra.veil import told_apart
from sagas import Cancel, Deadline

MAX_STATES = 50_000
"""States in memory; those used last. Others are folded again when they are needed."""

_encode = msgspec.json.Encoder(order="deterministic").encode


class _Held(NamedTuple):
    kind: str
    version: int
    state: State | None
    """None for one that could not be folded."""
    error: str | None = None


class Folded:
    """Follows one log, as the readers of the sagas that follow it would."""

    def __init__(
        self,
        context: str,
        features: Features,
        stores: Mapping[str, Store],
        heads: Mapping[str, int],
        codec: Codec,
        keep: Callable[[Folding], None],
    ) -> None:
        """`keep` hears of states that leave memory; the last one told of a stream counts."""
        self._keep = keep
        self._context = context
        self._features = features
        self._stores = stores
        self._heads = heads
        self._codec = codec
        self._sagas = [
            running
            for running in features.sagas
            if context in (running.saga.follows or (running.context,))
        ]
        self._held: OrderedDict[UUID, _Held] = OrderedDict()
        self._decisions = Decisions(context, features, self._before)
        self._position = 0

    async def decide(self, at: Envelope) -> Decision | None:
        """Decide again on the command of a process that led to the next fact, if one did."""
        return await self._decisions.take(at)

    async def take(self, fact: Event, at: Envelope) -> list[Step]:
        """Fold the next fact, and return what each saga does about it."""
        await self._fold(fact, at)
        self._position = at.position
        steps: list[Step] = []
        for running in self._sagas:
            steps += await self._react(running, fact, at)
        return steps

    def end(self) -> None:
        """Tell the states that are in memory still."""
        for id, held in self._held.items():
            self._keep(self._folding(id, held))

    async def _fold(self, fact: Event, at: Envelope) -> None:
        kind = self._features.states.get(at.kind)
        if kind is None:
            return
        held = self._held.get(at.stream)
        if held is None and at.version > 1:
            held = await self._again(kind, at.stream, at.version - 1)
        state: State | None = kind() if held is None else held.state
        error = None if held is None else held.error
        if state is not None:
            try:
                state = state.evolve(fact)
            except Exception as raised:  # noqa: BLE001 - the candidate's answer
                state, error = None, f"version {at.version}: {type(raised).__name__}: {raised}"
        self._hold(at.stream, _Held(at.kind, at.version, state, error))

    async def _before(self, kind: type[State], id: UUID) -> State:
        """Return a state as it is behind the last fact that was taken in."""
        held = self._held.get(id)
        if held is not None and held.kind == kind.KIND and held.state is not None:
            return held.state
        recorded = await self._stores[self._context].stream(id)
        before = [one for one in recorded if one.at.position <= self._position]
        state: State = fold(kind, id, before, self._codec)
        return state

    async def _again(self, kind: type[State], id: UUID, version: int) -> _Held:
        recorded = await self._stores[self._context].stream(id, upto=version)
        try:
            return _Held(kind.KIND, version, fold(kind, id, recorded, self._codec))
        except Exception as raised:  # noqa: BLE001 - the candidate's answer
            return _Held(kind.KIND, version, None, f"{type(raised).__name__}: {raised}")

    def _hold(self, id: UUID, held: _Held) -> None:
        self._held[id] = held
        self._held.move_to_end(id)
        while len(self._held) > MAX_STATES:
            self._keep(self._folding(*self._held.popitem(last=False)))

    def _folding(self, id: UUID, held: _Held) -> Folding:
        data = held.error if held.state is None else _values(held.state)
        return Folding(self._context, id, held.kind, held.version, data or "")

    async def _react(self, running: Running, fact: Event, at: Envelope) -> list[Step]:
        try:
            id = running.saga.locate(fact, at)
            if id is None:
                return []
            state = await self._state(running, id, at)
            found = list(running.saga.react(id, fact, state))
        except IdTaken:
            return []
        except Exception as raised:  # noqa: BLE001 - the candidate's answer
            said = f"{type(raised).__name__}: {raised}"
            return [Step(running.name, at.context, at.position, 0, "fault", said, at.stream, "{}")]
        return [self._step(running, number, one, id, at) for number, one in enumerate(found)]

    async def _state(self, running: Running, id: UUID, at: Envelope) -> State:
        """Return a process's state as of the fact, or, of another log, as of its end."""
        process = running.saga.process
        own = process.KIND.partition(".")[0]
        held = self._held.get(id) if own == self._context else None
        if held is not None and held.kind == process.KIND and held.state is not None:
            return held.state
        upto = at.position if own == self._context else self._heads[own]
        recorded = await self._stores[own].stream(id)
        before = [one for one in recorded if one.at.position <= upto]
        state: State = fold(process, id, before, self._codec)
        return state

    def _step(self, running: Running, number: int, one: Any, id: UUID, at: Envelope) -> Step:
        place = (running.name, at.context, at.position, number)
        key = f"{at.context}:{at.position}:{number}"  # as `infra.processes` makes it
        if isinstance(one, Cancel):
            return Step(*place, "cancel", one.name, id, "{}")
        if isinstance(one, Deadline):
            command = self._features.handlings[type(one.command)].name
            self._decisions.expect(running.name, f"deadline:{one.name}:{key}", one.command)
            after = {"after_s": int(one.after.total_seconds()), "command": command}
            fields = msgspec.json.decode(_encode(one.command))
            return Step(*place, "deadline", one.name, id, _encode(after | fields).decode())
        name = self._features.handlings[type(one)].name
        self._decisions.expect(running.name, key, one)
        return Step(*place, "command", name, id, _encode(one).decode())


def _values(state: State) -> str:
    shown = told_apart(state)
    try:
        return _encode(shown).decode()
    except TypeError:  # of a type that has no JSON: its text must do
        return _encode(
            {name: repr(getattr(shown, name)) for name in shown.__struct_fields__}
        ).decode()
