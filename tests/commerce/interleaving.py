"""Runs the real handlers and sagas of commerce and banking in every order that concurrency allows.

Each reader, customer and timer is a coroutine that pauses before every read, append and call of
the acquirer; the scheduler picks who goes on. Nothing is remembered about commands that were
sent before, and readers go back and react again, so the rules must be safe to repeat by
themselves.
"""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, get_type_hints
from uuid import UUID, uuid5

from commands import Caller, Change, Clock, Ids, Log, Receipt
from commands.commerce.payment import Gateway
from domain import Envelope, Event, Refused, State
from domain.commerce.process import ACQUIRER
from infra.discovery import modules
from sagas import Cancel, Deadline, Saga
from tests.commerce.ledger import Acquirer, Pause
from tests.commerce.shop import NAMESPACE, NOW

CONTEXTS = ("commerce", "banking")
HANDLERS = {
    thing.handles: thing
    for _, _, module in modules("commands", CONTEXTS)
    for thing in vars(module).values()
    if hasattr(thing, "handles")
}
PORTS = {
    handler: {
        name: port for name, port in list(get_type_hints(handler).items())[1:] if name != "return"
    }
    for handler in HANDLERS.values()
}
SAGAS: dict[str, Saga] = {
    f"{context}.{feature}": thing
    for context, feature, module in modules("sagas", CONTEXTS)
    for thing in vars(module).values()
    if isinstance(thing, Saga)
}
PERSON = Caller(actor="00000000-0000-7000-8000-000000000001")
MAX_STEPS = 40_000
Choose = Callable[[int], int]
"""Picks one of so many things."""


class World:
    """Two logs, their readers, timers and customers, and a scheduler told what to choose."""

    def __init__(self, choose: Choose, acquirer: Acquirer) -> None:
        self.choose = choose
        self.acquirer = acquirer
        self.time = NOW
        self.logs: dict[str, list[tuple[Event, Envelope]]] = {name: [] for name in CONTEXTS}
        self.streams: dict[tuple[str, UUID], list[tuple[int, Event]]] = defaultdict(list)
        self.refusals: list[Refused] = []
        self.deadlines: dict[tuple[str, UUID, str], tuple[datetime, object]] = {}
        self.made = 0
        self.asleep: set[str] = set()
        self.running: dict[str, Coroutine[Any, Any, None]] = {
            f"{name}@{context}": self._read(name, saga, context)
            for name, saga in SAGAS.items()
            for context in saga.follows or (name.partition(".")[0],)
        }

    def now(self) -> datetime:
        return self.time

    def new(self) -> UUID:
        self.made += 1
        return uuid5(NAMESPACE, f"made {self.made}")

    def given(self, history: Mapping[UUID, list[Event]]) -> None:
        for stream, facts in history.items():
            self.append(stream, facts)

    def state(self, state: type[State], id: UUID) -> Any:
        context = state.KIND.partition(".")[0]
        return state().fold(fact for _, fact in self.streams[context, id])

    def person(self, name: str, *commands: object, by: Caller = PERSON) -> None:
        """Somebody sends commands, one after the other, at any time."""

        async def act() -> None:
            for command in commands:
                await Pause()
                await self._dispatch(command, by)

        self.running[name] = act()

    def outage(self, after: int, lasts: timedelta) -> None:
        """For a while nothing happens; then everybody goes on where they were."""

        async def pass_time() -> None:
            for _ in range(after):
                await Pause()
            self.time += lasts

        self.running["outage"] = pass_time()

    def run(self) -> None:
        """Go on until nothing moves: no reader, no person, no deadline, no late answer."""
        for _ in range(MAX_STEPS):
            names = [name for name in self.running if name not in self.asleep]
            if not names and not self._wake():
                return
            if names:
                self._step(names[self.choose(len(names))])
        raise AssertionError("it does not come to rest")

    def close(self) -> None:
        for work in self.running.values():
            work.close()

    def _step(self, name: str) -> None:
        try:
            self.running[name].send(None)
        except StopIteration:
            del self.running[name]

    def _wake(self) -> bool:
        """When all is quiet: an answer that came late, or else the next deadline."""
        late = self.acquirer.late
        if late and (not self.deadlines or self.choose(2)):
            self.person("acquirer", late.pop(0), by=Caller(actor=ACQUIRER))
        elif self.deadlines:
            key = min(self.deadlines, key=lambda one: self.deadlines[one][0])
            due, command = self.deadlines.pop(key)
            self.time = max(self.time, due)
            self.person(f"timer {key}", command, by=_process(key[0]))
        else:
            return False
        return True

    async def _read(self, name: str, saga: Saga, context: str) -> None:
        position, log = 0, self.logs[context]
        while True:
            if position == len(log):
                self.asleep.add(f"{name}@{context}")
                await Pause()
                continue
            fact, at = log[position]
            position += 1
            id = saga.locate(fact, at)
            if id is not None:
                await self._react(name, saga, id, fact, at)
            if self.choose(12) == 0:  # it was killed before it kept its position
                position -= self.choose(min(position, 4) + 1)

    async def _react(self, name: str, saga: Saga, id: UUID, fact: Event, at: Envelope) -> None:
        home = name.partition(".")[0]
        kinds = [fact.TOPIC.rpartition(".")[0] for _, fact in self.streams[home, id][:1]]
        if kinds not in ([], [saga.process.KIND]):
            return
        own = at.context == home
        known = (f for n, f in self.streams[home, id] if not own or n <= at.position)
        for step in saga.react(id, fact, saga.process().fold(known)):
            match step:
                case Deadline(name=deadline, after=after, command=command):
                    self.deadlines[name, id, deadline] = (self.time + after, command)
                case Cancel(name=deadline):
                    self.deadlines.pop((name, id, deadline), None)
                case _:
                    await self._dispatch(step, _process(name))

    async def _dispatch(self, command: object, by: Caller) -> None:
        handler = HANDLERS[type(command)]
        ports: dict[type, object] = {
            Log: _Session(self),
            Caller: by,
            Clock: self,
            Ids: self,
            Gateway: self.acquirer,
        }
        try:
            await handler(command, **{name: ports[port] for name, port in PORTS[handler].items()})
        except Refused as refusal:
            self.refusals.append(refusal)

    def append(self, id: UUID, facts: list[Event]) -> None:
        for fact in facts:
            context = fact.TOPIC.partition(".")[0]
            log, stream = self.logs[context], self.streams[context, id]
            stream.append((len(log) + 1, fact))
            at = Envelope(
                context=context,
                stream=id,
                version=len(stream),
                position=len(log) + 1,
                topic=fact.TOPIC,
                time=self.time,
                actor="test",
                command_id=id,
                correlation_id=id,
            )
            log.append((fact, at))
        if facts:
            self.asleep.clear()


def _process(name: str) -> Caller:
    return Caller(actor=f"saga:{name}")


class _Session:
    """The log as one command sees it: a decision is taken on the newest state."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def load(self, state: type[State], id: UUID) -> Any:
        await Pause()
        return self._world.state(state, id)

    async def change(self, state: type[State], id: UUID, decide: Any) -> Receipt:
        return await self.change_all(Change(state, id, decide))

    async def change_all(self, *changes: Change[Any]) -> Receipt:
        await Pause()
        decided = [(c.id, list(c.decide(self._world.state(c.state, c.id)))) for c in changes]
        for id, facts in decided:
            self._world.append(id, facts)
        return Receipt(context="commerce", position=0, stream=changes[0].id, version=0)
