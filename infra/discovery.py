"""Finds facts, handlers, sagas and projections: a file's existence is its registration."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, get_type_hints

from sqlalchemy import Table

from commands import Caller, Log
from domain import Event, Refused, State
from projections.versions import all_tables
from sagas import Saga

LAYERS = ("domain", "commands", "projections", "sagas")


class Misbuilt(Exception):
    """Something that the structure requires is missing or doubled; the message names it."""


@dataclass(frozen=True, slots=True)
class Handling:
    """A command, its handler and the ports the handler asks for, by parameter name."""

    context: str
    command: type
    handler: Callable[..., Any]
    ports: dict[str, type]
    is_step: bool
    """Whether only processes may send it."""

    @property
    def name(self) -> str:
        """`<context>.<Command>`."""
        return f"{self.context}.{self.command.__name__}"


@dataclass(frozen=True, slots=True)
class Projecting:
    """A projection: its function and the tables it writes, those of their history included."""

    name: str
    context: str
    project: Callable[..., None]
    tables: tuple[Table, ...]
    key_of: Callable[..., Any] | None = None
    """What its facts depend on each other by, when not by their stream."""
    cached: tuple[Callable[..., Any], ...] = ()
    """Its query functions whose answers are kept."""


@dataclass(frozen=True, slots=True)
class Running:
    """A saga under its name, with the contexts whose logs it follows."""

    name: str
    context: str
    saga: Saga


@dataclass(frozen=True, slots=True)
class Features:
    """Everything that the folders hold."""

    contexts: tuple[str, ...]
    facts: dict[str, type[Event]]
    states: dict[str, type[State]]
    handlings: dict[type, Handling]
    projections: tuple[Projecting, ...]
    sagas: tuple[Running, ...]
    invariants: dict[str, Callable[[], list[Any]]]

    def command(self, name: str, context: str | None = None) -> Handling:
        """Return a command by name: `RequestTransfer`, `banking.RequestTransfer`.

        Raises `LookupError` when there is none, or more than one.
        """
        found = [
            handling
            for handling in self.handlings.values()
            if name in (handling.name, handling.command.__name__)
            and context in (None, handling.context)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise LookupError(
                f"{name!r} is a command of {', '.join(h.context for h in found)}; name the context"
            )
        where = f" in context {context!r}" if context else ""
        raise LookupError(f"no command is called {name!r}{where}")


def modules(
    layer: str, contexts: Container[str] | None = None
) -> Iterator[tuple[str, str, ModuleType]]:
    """Yield (context, feature, module) for each `<layer>/<context>/<feature>.py`."""
    package = importlib.import_module(layer)
    for context in sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg):
        if contexts is not None and context not in contexts:
            continue
        folder = importlib.import_module(f"{layer}.{context}")
        for module in sorted(m.name for m in pkgutil.iter_modules(folder.__path__)):
            yield context, module, importlib.import_module(f"{layer}.{context}.{module}")


@cache
def discover() -> Features:
    """Walk the layers, once. Raises `Misbuilt`: a doubled topic, an unhandled command."""
    found = {layer: list(modules(layer)) for layer in LAYERS}
    facts, states, invariants = _domain(found["domain"])
    contexts = {context for context, _, _ in found["domain"]}
    for layer, files in found.items():
        for context, _, _ in files:
            if context not in contexts:
                raise Misbuilt(f"{layer}/{context} has no domain/{context}; add its facts there")
    features = Features(
        contexts=tuple(sorted(contexts)),
        facts=facts,
        states=states,
        handlings=_commands(found["commands"]),
        projections=tuple(_projections(found["projections"])),
        sagas=tuple(_sagas(found["sagas"])),
        invariants=invariants,
    )
    for running in features.sagas:
        for followed in running.saga.follows:
            if followed not in features.contexts:
                raise Misbuilt(f"{running.name} follows {followed!r}, which is no context")
    return features


def _domain(found: list[tuple[str, str, ModuleType]]) -> tuple[Any, Any, Any]:
    facts: dict[str, type[Event]] = {}
    states: dict[str, type[State]] = {}
    codes: dict[str, type[Refused]] = {}
    invariants = {}
    for context, _, module in found:
        for thing in _own_classes(module):
            if issubclass(thing, Event):
                topic = getattr(thing, "TOPIC", None)
                if not topic or not topic.startswith(f"{context}."):
                    raise Misbuilt(f"{_name(thing)} needs a TOPIC that begins with '{context}.'")
                if topic in facts:
                    raise Misbuilt(
                        f"topic {topic!r} is used by {_name(facts[topic])} and {_name(thing)}"
                    )
                facts[topic] = thing
            elif issubclass(thing, State):
                kind = getattr(thing, "KIND", None)
                if not kind or kind in states:
                    raise Misbuilt(f"{_name(thing)} needs a KIND of its own, not {kind!r}")
                states[kind] = thing
            elif issubclass(thing, Refused):
                code = thing.__dict__.get("code")
                if not code or codes.setdefault(f"{context}.{code}", thing) is not thing:
                    raise Misbuilt(f"{_name(thing)} needs a code of its own, not {code!r}")
        if hasattr(module, "watch"):
            invariants[context] = module.watch
    return facts, states, invariants


def _commands(found: list[tuple[str, str, ModuleType]]) -> dict[type, Handling]:
    handlings: dict[type, Handling] = {}
    for context, _, module in found:
        for thing in vars(module).values():
            command = getattr(thing, "handles", None)
            if (
                not inspect.isfunction(thing)
                or command is None
                or thing.__module__ != module.__name__
            ):
                continue
            if command in handlings:
                raise Misbuilt(f"{_name(command)} has two handlers")
            handler: Any = thing
            handlings[command] = Handling(
                context, command, handler, _ports(handler), handler.is_step
            )
    for _, _, module in found:
        for thing in _own_classes(module):
            if getattr(thing, "IS_COMMAND", False) and thing not in handlings:
                raise Misbuilt(f"{_name(thing)} has no handler; write one with @handles")
    return handlings


def _ports(handler: Callable[..., Any]) -> dict[str, type]:
    hints = get_type_hints(handler)
    names = list(inspect.signature(handler).parameters)[1:]
    for name in names:
        if name not in hints:
            raise Misbuilt(f"{_name(handler)}: parameter {name!r} must name its port by annotation")
    if not any(hints[name] is Log for name in names):
        raise Misbuilt(f"{_name(handler)} must take the Log")
    return {name: hints[name] for name in names}


def _projections(found: list[tuple[str, str, ModuleType]]) -> Iterator[Projecting]:
    for context, feature, module in found:
        name = f"{context}.{feature}"
        tables = tuple(
            thing
            for thing in vars(module).values()
            if isinstance(thing, Table) and thing.info.get("projection") == module.__name__
        )
        project = vars(module).get("project")
        if project is None and tables:
            raise Misbuilt(f"projections.{name} has tables and no project()")
        if project is not None and not tables:
            raise Misbuilt(f"projections.{name} has project() and no table")
        if project is not None:
            key_of = vars(module).get("key_of")
            cached = tuple(thing for thing in vars(module).values() if _is_cached(thing, module))
            yield Projecting(name, context, project, all_tables(tables), key_of, cached)


def _is_cached(thing: object, module: ModuleType) -> bool:
    return hasattr(thing, "cached") and getattr(thing, "__module__", "") == module.__name__


def _sagas(found: list[tuple[str, str, ModuleType]]) -> Iterator[Running]:
    for context, feature, module in found:
        sagas = [thing for thing in vars(module).values() if isinstance(thing, Saga)]
        if len(sagas) != 1:
            raise Misbuilt(f"sagas.{context}.{feature} must have one @saga, it has {len(sagas)}")
        yield Running(f"{context}.{feature}", context, sagas[0])


def _own_classes(module: ModuleType) -> Iterator[type]:
    for thing in vars(module).values():
        if isinstance(thing, type) and thing.__module__ == module.__name__:
            yield thing


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def ports_of(handling: Handling, given: dict[type, object]) -> dict[str, object]:
    """Return the outside-world ports of a handler; `Log` and `Caller` come with each command.

    Raises `Misbuilt` for a port that nobody provides.
    """
    ports = {}
    for name, port in handling.ports.items():
        if port in (Log, Caller):
            continue
        if port not in given:
            raise Misbuilt(f"{_name(handling.handler)} asks for {_name(port)}; wiring has none")
        ports[name] = given[port]
    return ports
