"""Which snapshots a state can be read from: its shape, and the code that folds it, as a digest."""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from domain import Event, State
from infra.discovery import Misbuilt

S = TypeVar("S", bound=State)

KERNEL = "domain"
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n]+)|import[ \t]+([^\n]+))",
    re.MULTILINE,
)
"""Much faster than to parse a module, and start-up waits for it; too much found does no harm."""
NAME = re.compile(r"[\w.]+")
EXACT = (
    inspect.NoneType,
    inspect.BoolType,
    inspect.IntType,
    inspect.StrType,
    inspect.BytesType,
    inspect.UUIDType,
    inspect.DecimalType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.TimeDeltaType,
    inspect.EnumType,
    inspect.LiteralType,
)
"""What JSON gives back as it was. A float may be NaN, which it does not."""


class Shape(Generic[S]):
    """A kind of state as this program folds it: other code, or other fields, is another shape."""

    def __init__(self, state: type[S], topic: str) -> None:
        self.state = state
        self.topic = topic
        """What its snapshots are found by: `<kind>@<digest>`."""
        self.encode = msgspec.json.Encoder().encode
        self.decode = msgspec.json.Decoder(state).decode


def shapes_of(
    states: Iterable[type[State]], facts: Mapping[str, type[Event]]
) -> dict[type[State], Shape[State]]:
    """Return the shapes of the states that are kept in snapshots.

    Raises `Misbuilt` for a state that could not be read back from one as it was.
    """
    shapes = {}
    for state in states:
        if state.SNAPSHOT_EVERY < 0:
            raise Misbuilt(f"{_name(state)}: SNAPSHOT_EVERY counts facts; 0 takes no snapshots")
        if state.SNAPSHOT_EVERY:
            own = tuple(fact for topic, fact in facts.items() if _kind(topic) == state.KIND)
            shapes[state] = _shape(state, own)
    return shapes


@cache
def _shape(state: type[State], facts: tuple[type[Event], ...]) -> Shape[State]:
    for problem in _inexact(state):
        raise Misbuilt(
            f"{_name(state)} cannot be kept in snapshots: {problem}; or let it take none, with "
            "SNAPSHOT_EVERY = 0"
        )
    digest = hashlib.blake2b(digest_size=12)
    for part in _parts(state, facts):
        digest.update(len(part).to_bytes(8, "big") + part)
    return Shape(state, f"{state.KIND}@{digest.hexdigest()}")


def _parts(state: type[State], facts: tuple[type[Event], ...]) -> Iterator[bytes]:
    """Yield whatever could change what the same facts are folded to, or how it is written."""
    yield f"{sys.version_info[:2]} msgspec {msgspec.__version__}".encode()
    yield _name(state).encode()
    yield msgspec.json.encode(msgspec.json.schema(state), order="sorted")
    for module in sorted(_modules(state.__module__, *(fact.__module__ for fact in facts))):
        yield module.encode()
        yield source_of(module).encode()


def code_of(module: str) -> str:
    """Return a digest of a module's code and of all code that it stands on."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(_modules(module)):
        source = source_of(name).encode()
        digest.update(f"{name} {len(source)} ".encode() + source)
    return digest.hexdigest()


# ── the code that a state stands on ──────────────────────────────────────────────────────────────


def _modules(*start: str) -> set[str]:
    """Return modules and all that they import, directly or not, of their packages or the kernel.

    What else the domain imports comes with Python or is msgspec, whose versions are known.
    """
    homes = {KERNEL, *(name.partition(".")[0] for name in start)}
    found, ahead = set(start), list(start)
    while ahead:
        for name in _imports(ahead.pop()):
            if name.partition(".")[0] in homes and name not in found and _spec(name):
                found.add(name)
                ahead.append(name)
    return found


@cache
def _imports(module: str) -> frozenset[str]:
    """Return what a module names in its imports, at the top or within functions.

    `from package import name` may name a module or something in the package: both are returned.
    """
    names = set()
    for written, members, modules in IMPORT.findall(source_of(module)):
        names.update(NAME.findall(modules))
        package = resolve_name(written, _package(module)) if written[:1] == "." else written
        names.add(package)
        names.update(f"{package}.{member}" for member in NAME.findall(members))
    return frozenset(names)


@cache
def source_of(module: str) -> str:
    """Return a module's source. Raises `Misbuilt` when it is not at hand."""
    spec = _spec(module)
    loader: Any = spec and spec.loader
    source: str | None = loader.get_source(module) if hasattr(loader, "get_source") else None
    if source is None and spec and spec.origin and spec.origin.endswith(".py"):
        return Path(spec.origin).read_text(encoding="utf-8")
    if source is None:
        raise Misbuilt(
            f"{module} has no source at hand, so what was made by it could not be told from what "
            "other code made; a state it defines may take no snapshots, with SNAPSHOT_EVERY = 0"
        )
    return source


def _package(module: str) -> str:
    spec = _spec(module)
    return spec.parent or "" if spec else ""


@cache
def _spec(module: str) -> ModuleSpec | None:
    """Return where a module is, without running it: it may be imported later only."""
    if module in sys.modules:
        return sys.modules[module].__spec__
    package = module.rpartition(".")[0]
    above = _spec(package) if package else None
    within = above.submodule_search_locations if above else None
    return PathFinder.find_spec(module, within) if within else None


# ── what comes back as it was ────────────────────────────────────────────────────────────────────


def _inexact(state: type[State]) -> Iterator[str]:
    """Yield what would not come back from JSON as it was, with the place where it is."""
    try:
        msgspec.json.Decoder(state)
        described = inspect.type_info(state)
    except TypeError as error:
        yield str(error)
        return
    yield from _in_type(described, state.__name__, set())


def _in_type(described: inspect.Type, place: str, seen: set[type]) -> Iterator[str]:
    match described:
        case inspect.StructType():
            if described.cls not in seen:
                seen.add(described.cls)
                for field in described.fields:
                    yield from _in_type(field.type, f"{described.cls.__name__}.{field.name}", seen)
        case inspect.UnionType():
            for one in described.types:
                yield from _in_type(one, place, seen)
        case inspect.TupleType():
            for one in described.item_types:
                yield from _in_type(one, place, seen)
        case inspect.VarTupleType() | inspect.FrozenSetType() | inspect.SetType():
            yield from _in_type(described.item_type, place, seen)
        case inspect.DictType():
            yield from _in_type(described.key_type, place, seen)
            yield from _in_type(described.value_type, place, seen)
        case inspect.ListType():
            yield f"{place} may hold a tuple, and would come back as a list; declare a tuple"
        case inspect.Metadata():
            yield from _in_type(described.type, place, seen)
        case _ if not isinstance(described, EXACT):
            yield f"{place} is of a type that need not come back as it was ({described})"


def _kind(topic: str) -> str:
    return topic.rpartition(".")[0]


def _name(thing: type) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
