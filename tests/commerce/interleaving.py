"""Runs the real handlers and sagas of commerce in every order that concurrency allows.

Each reader, customer and timer is a coroutine that pauses before every read, append and call of
the acquirer; the scheduler picks who goes on. Nothing is remembered about commands that were
sent before, and readers go back and react again, so the rules must be safe to repeat by
themselves.
"""

from collections.abc import Callable, Coroutine, Generator, Mapping
from datetime import datetime, timedelta
from typing import Any, get_type_hints
from uuid import UUID, uuid5

from commands import Caller, Change, Clock, Ids, Log, Receipt
from commands.commerce import order as order_commands
from commands.commerce import payment as payment_commands
from commands.commerce import refund as refund_commands
from commands.commerce import shipment as shipment_commands
from commands.commerce import stock as stock_commands
from commands.commerce.payment import Gateway, SettleAuthorisation
from domain import Envelope, Event, Money, Refused, State
from domain.commerce.gateway import Answer, Outcome
from sagas import Cancel, Deadline, Saga
from sagas.commerce import order as order_saga
from sagas.commerce import payment as payment_saga
from sagas.commerce import refund as refund_saga
from tests.commerce.shop import NAMESPACE, NOW

MODULES = (order_commands, payment_commands, refund_commands, shipment_commands, stock_commands)
HANDLERS = {
    thing.handles: thing
    for module in MODULES
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
    "order": order_saga.react,
    "payment": payment_saga.react,
    "refund": refund_saga.react,
}
MAX_STEPS = 20_000
PROCESS = Caller(actor="saga:test")
Choose = Callable[[int], int]
"""Picks one of so many things."""


class Pause:
    """Let the others go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Acquirer:
    """An acquirer that knows what really happened, whatever it said.

    `plan` names for each kind of question how often it is left unanswered before the answer:
    the authorisation may be given in truth and yet not be said.
    """

    def __init__(self, approves: bool, captures: bool, silent: Mapping[str, int]) -> None:
        self.approves = approves
        self.captures = captures
        self.silent = dict(silent)
        self.held: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.returned: dict[tuple[str, str], int] = {}
        self.voided: set[str] = set()
        self.late: list[SettleAuthorisation] = []

    async def authorise(self, reference: str, card_token: str, amount: Money) -> Answer:
        await Pause()
        approved = self.approves and reference not in self.voided
        if approved and reference not in self.taken:
            self.held[reference] = amount.amount
        if self._silent("authorise"):
            self.late.append(
                SettleAuthorisation(
                    payment_id=UUID(reference),
                    reference=reference,
                    approved=approved,
                    amount=amount.amount,
                    currency=amount.currency,
                )
            )
            return Answer(Outcome.UNKNOWN)
        await Pause()
        return Answer(Outcome.APPROVED) if approved else Answer(Outcome.DECLINED, "declined")

    async def capture(self, reference: str, amount: Money) -> Answer:
        await Pause()
        if reference in self.voided or not self.captures:
            return Answer(Outcome.DECLINED, "capture_declined")
        assert reference in self.held, "captured what was not held"
        assert self.taken.setdefault(reference, amount.amount) == amount.amount
        await Pause()
        return Answer(Outcome.UNKNOWN if self._silent("capture") else Outcome.APPROVED)

    async def void(self, reference: str) -> Answer:
        await Pause()
        self.voided.add(reference)
        self.held.pop(reference, None)
        self.taken.pop(reference, None)
        await Pause()
        return Answer(Outcome.UNKNOWN if self._silent("void") else Outcome.APPROVED)

    async def refund(self, reference: str, refund_reference: str, amount: Money) -> Answer:
        await Pause()
        assert reference in self.taken, "refunded what was not taken"
        self.returned[reference, refund_reference] = amount.amount
        assert sum(self.returned.values()) <= sum(self.taken.values()), "refunded too much"
        await Pause()
        return Answer(Outcome.UNKNOWN if self._silent("refund") else Outcome.APPROVED)

    def kept(self) -> int:
        """What the merchants have of all cards."""
        return sum(self.taken.values()) - sum(self.returned.values())

    def holds(self) -> int:
        """What is held on cards and not taken."""
        return sum(self.held.values()) - sum(self.held[r] for r in self.taken)

    def _silent(self, what: str) -> bool:
        left = self.silent.get(what, 0)
        self.silent[what] = left - 1
        return left > 0


class World:
    """A log, its readers, timers and customers, and a scheduler that is told what to choose."""

    def __init__(self, choose: Choose, acquirer: Acquirer) -> None:
        self.choose = choose
        self.acquirer = acquirer
        self.time = NOW
        self.facts: list[tuple[Event, Envelope]] = []
        self.streams: dict[UUID, list[tuple[int, Event]]] = {}
        self.refusals: list[Refused] = []
        self.deadlines: dict[tuple[str, UUID, str], tuple[datetime, object]] = {}
        self.asleep: set[str] = set()
        self.running: dict[str, Coroutine[Any, Any, None]] = {
            name: self._read(name, saga) for name, saga in SAGAS.items()
        }

    def now(self) -> datetime:
        return self.time

    def new(self) -> UUID:
        return uuid5(NAMESPACE, f"id {len(self.facts)} {len(self.running)}")

    def given(self, history: Mapping[UUID, list[Event]]) -> None:
        for stream, facts in history.items():
            self.append(stream, facts)

    def state(self, state: type[State], id: UUID) -> Any:
        return state().fold(fact for _, fact in self.streams.get(id, []))

    def person(self, name: str, *commands: object) -> None:
        """Somebody sends commands, one after the other, at any time."""

        async def act() -> None:
            for command in commands:
                await Pause()
                await self._dispatch(command)

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
        if self.acquirer.late and self.choose(2):
            self.person("acquirer", self.acquirer.late.pop(0))
        elif self.deadlines:
            key = min(self.deadlines, key=lambda one: self.deadlines[one][0])
            due, command = self.deadlines.pop(key)
            self.time = max(self.time, due)
            self.person(f"timer {key}", command)
        elif self.acquirer.late:
            self.person("acquirer", self.acquirer.late.pop(0))
        else:
            return False
        return True

    async def _read(self, name: str, saga: Saga) -> None:
        position = 0
        while True:
            if position == len(self.facts):
                self.asleep.add(name)
                await Pause()
                continue
            fact, at = self.facts[position]
            position += 1
            id = saga.locate(fact, at)
            if id is not None:
                await self._react(name, saga, id, fact, at)
            if self.choose(12) == 0:  # it was killed before it kept its position
                position -= self.choose(min(position, 4) + 1)

    async def _react(self, name: str, saga: Saga, id: UUID, fact: Event, at: Envelope) -> None:
        before = (fact for n, fact in self.streams.get(id, []) if n <= at.position)
        state = saga.process().fold(before)
        for step in saga.react(id, fact, state):
            match step:
                case Deadline(name=deadline, after=after, command=command):
                    self.deadlines[name, id, deadline] = (self.time + after, command)
                case Cancel(name=deadline):
                    self.deadlines.pop((name, id, deadline), None)
                case _:
                    await self._dispatch(step)

    async def _dispatch(self, command: object) -> None:
        handler = HANDLERS[type(command)]
        ports = {
            Log: _Session(self),
            Caller: PROCESS,
            Clock: self,
            Ids: self,
            Gateway: self.acquirer,
        }
        named = {name: ports[port] for name, port in PORTS[handler].items()}
        try:
            await handler(command, **named)
        except Refused as refusal:
            self.refusals.append(refusal)

    def append(self, id: UUID, facts: list[Event]) -> None:
        for fact in facts:
            self.streams.setdefault(id, []).append((len(self.facts) + 1, fact))
            at = Envelope(
                context="commerce",
                stream=id,
                version=len(self.streams[id]),
                position=len(self.facts) + 1,
                topic=fact.TOPIC,
                time=self.time,
                actor="test",
                command_id=id,
                correlation_id=id,
            )
            self.facts.append((fact, at))
        if facts:
            self.asleep.clear()


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
