"""A bank in memory: the real handlers and sagas over a list of facts, one step at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from commands import Caller, Change, Clock, Ids, Log, Receipt
from domain import Envelope, Event, Refused, State, Watcher
from domain.banking.invariants import watch
from infra.discovery import Features, Running, discover
from infra.processes import caller_of
from sagas import Cancel, Deadline
from tests.banking.bank import NOON

features: Features = discover()
SAGAS = tuple(running for running in features.sagas if running.context == "banking")


class OtherKind(Refused, code="id_taken"):
    """The id belongs to an aggregate of another kind."""


@dataclass
class Bank:
    """Everything that happened, and what the processes have still to see of it."""

    now: datetime = NOON
    facts: list[tuple[Event, Envelope]] = field(default_factory=list)
    streams: dict[UUID, list[Event]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys((s.name for s in SAGAS), 0))
    deadlines: dict[tuple[str, UUID, str], tuple[datetime, object]] = field(default_factory=dict)
    watchers: list[Watcher] = field(default_factory=watch)
    last_id: int = 0

    # The ports Clock and Ids are this object; the Log is made for each command.

    def new(self) -> UUID:
        self.last_id += 1
        return UUID(int=(0x7 << 76) | (0x8 << 60) | self.last_id)

    def number(self, digits: int) -> int:
        self.last_id += 1
        return self.last_id

    def secret(self) -> str:
        return str(self.number(9))

    def state(self, state: type[State], id: UUID) -> Any:
        """Return an aggregate folded from the facts."""
        known = self.streams.get(id, [])
        if known and known[0].TOPIC.rpartition(".")[0] != state.KIND:
            raise OtherKind(f"{id} is no {state.KIND}")
        return state().fold(known)

    def send(self, command: object, by: Caller) -> Refused | None:
        """Run one command through its handler; returns the refusal, if any."""
        handling = features.handlings[type(command)]
        given = {Log: _Log(self), Clock: _Clock(self), Ids: self, Caller: by}
        ports = {name: given[port] for name, port in handling.ports.items()}
        try:
            _run(handling.handler(command, **ports))
        except Refused as refusal:
            return refusal
        return None

    def append(self, stream: UUID, fact: Event) -> None:
        known = self.streams.setdefault(stream, [])
        known.append(fact)
        at = Envelope(
            context="banking",
            stream=stream,
            version=len(known),
            position=len(self.facts) + 1,
            topic=fact.TOPIC,
            time=self.now,
            actor="",
            command_id=UUID(int=0),
            correlation_id=UUID(int=0),
        )
        self.facts.append((fact, at))
        for watcher in self.watchers:
            watcher.see(stream, fact)

    def step(self, running: Running, *, again: bool = False) -> None:
        """Let a saga react to its next fact; `again` to the last one, as after a crash."""
        place = self.seen[running.name] - again
        if not 0 <= place < len(self.facts):
            return
        fact, at = self.facts[place]
        self.seen[running.name] = place + 1
        id = running.saga.locate(fact, at)
        if id is None:
            return
        process = running.saga.process
        before = [f for f, a in self.facts[: place + 1] if a.stream == id]
        state = process().fold(before)
        for step in running.saga.react(id, fact, state):
            self._take(running, id, step)

    def _take(self, running: Running, id: UUID, step: object) -> None:
        match step:
            case Deadline(name=name, after=after, command=command):
                self.deadlines[running.name, id, name] = (self.now + after, command)
            case Cancel(name=name):
                self.deadlines.pop((running.name, id, name), None)
            case _:
                refusal = self.send(step, caller_of(running.name))
                assert refusal is None, f"{step} was refused: {refusal!r}"

    def settle(self) -> None:
        """Let the sagas see everything."""
        while any(place < len(self.facts) for place in self.seen.values()):
            for running in SAGAS:
                self.step(running)

    def wait(self, passed: timedelta) -> None:
        """Move the clock; what is due fires, in the order it is due."""
        self.now += passed
        due = sorted((d, k) for k, (d, _) in self.deadlines.items() if d <= self.now)
        for _, key in due:
            if key in self.deadlines:
                _, command = self.deadlines.pop(key)
                refusal = self.send(command, caller_of(key[0]))
                assert refusal is None, f"{command} was refused: {refusal!r}"

    def breaches(self) -> list[str]:
        """Return what breaks an invariant so far."""
        return [
            sentence
            for watcher in self.watchers
            for sentence in (*watcher.breaches(), *watcher.unfinished())
        ]


def _run(work: Any) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("a handler waited for something that is not here")


@dataclass
class _Clock:
    bank: Bank

    def now(self) -> datetime:
        return self.bank.now


@dataclass
class _Log:
    bank: Bank

    async def load(self, state: type[State], id: UUID) -> Any:
        return self.bank.state(state, id)

    async def change(
        self, state: type[State], id: UUID, decide: Callable[[Any], Sequence[Event]]
    ) -> Receipt:
        return await self.change_all(Change(state, id, decide))

    async def change_all(self, *changes: Change[Any]) -> Receipt:
        states = {change.id: self.bank.state(change.state, change.id) for change in changes}
        decided: list[tuple[UUID, Event]] = []
        for change in changes:
            facts = list(change.decide(states[change.id]))
            states[change.id] = states[change.id].fold(facts)
            decided += [(change.id, fact) for fact in facts]
        for id, fact in decided:
            self.bank.append(id, fact)
        first = changes[0].id
        return Receipt(context="banking", position=len(self.bank.facts), stream=first, version=1)
