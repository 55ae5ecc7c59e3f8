"""What a snapshot holds comes back as it was, and code that folds otherwise does not find it."""

import ast
import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as some

from domain import Event, State
from infra import shapes
from infra.discovery import Misbuilt, discover
from infra.settings import Settings
from infra.shapes import shapes_of
from infra.wiring import open_system
from tests.probe.features import FEATURES as PROBE
from tests.source import ROOT
from tests.values import values_of

FEATURES = discover()
SHAPES = shapes_of(FEATURES.states.values(), FEATURES.facts)
KINDS = sorted(FEATURES.states)


def facts_of(kind: str) -> list[type[Event]]:
    """The facts of an aggregate: those under its kind, its state's whole context for claims."""
    return [fact for topic, fact in FEATURES.facts.items() if topic.rpartition(".")[0] == kind]


def continued(state: State, facts: Sequence[Event]) -> list[Any]:
    """Fold on, and note after each fact what there is: a state, or why it could not be folded."""
    found: list[Any] = []
    for fact in facts:
        try:
            state = state.evolve(fact)
        except Exception as error:  # noqa: BLE001 - facts that never come in this order
            found.append(repr(error))
        else:
            found.append(msgspec.json.encode(state))
            found.append(state)
    return found


# ── what comes back ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
@effort(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=some.data())
def test_every_state_comes_back_from_a_snapshot_as_it_was(kind: str, data: some.DataObject) -> None:
    shape = SHAPES[FEATURES.states[kind]]
    state = data.draw(values_of(shape.state))
    kept = shape.encode(state)
    back = shape.decode(kept)
    assert back == state
    assert repr(back) == repr(state) or "frozenset" in repr(state), "types, order and all"
    assert shape.encode(back) == kept or "frozenset" in repr(state)
    facts = data.draw(some.lists(some.one_of(*map(values_of, facts_of(kind))), max_size=4))
    assert continued(back, facts) == continued(state, facts)


@pytest.mark.parametrize("kind", KINDS)
@effort(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=some.data())
def test_what_facts_fold_to_comes_back_at_any_point(kind: str, data: some.DataObject) -> None:
    shape = SHAPES[FEATURES.states[kind]]
    facts = data.draw(some.lists(some.one_of(*map(values_of, facts_of(kind))), max_size=8))
    whole = state = shape.state()
    for fact in facts:
        try:
            whole = whole.evolve(fact)
        except Exception:  # noqa: BLE001 - facts that never come in this order
            break
        state = shape.decode(shape.encode(state)).evolve(fact)
        assert state == whole


class Listed(State, frozen=True):
    KIND = "probe.listed"
    items: Sequence[UUID] = ()


class Inner(msgspec.Struct, frozen=True):
    share: float = 0.5


class Floating(State, frozen=True):
    KIND = "probe.floating"
    shares: Mapping[UUID, tuple[Inner, ...]] = {}


class Loose(State, frozen=True):
    KIND = "probe.loose"
    what: Any = None


class Doubtful(State, frozen=True):
    KIND = "probe.doubtful"
    what: str | UUID = ""


class Negative(State, frozen=True):
    KIND = "probe.negative"
    SNAPSHOT_EVERY = -1


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (Listed, r"Listed cannot be kept in snapshots: Listed\.items .* declare a tuple; or let"),
        (Floating, r"Inner\.share is of a type that need not come back as it was \(FloatType"),
        (Loose, r"Loose\.what is of a type that need not come back as it was \(AnyType"),
        (Doubtful, r"Doubtful cannot be kept in snapshots: .*more than one str-like type"),
        (Negative, r"Negative: SNAPSHOT_EVERY counts facts; 0 takes no snapshots"),
    ],
)
def test_a_state_that_might_not_come_back_is_refused_at_start(state, told) -> None:
    with pytest.raises(Misbuilt, match=told):
        shapes_of([state], {})


def test_no_system_is_opened_with_such_a_state(settings: Settings) -> None:
    features = replace(PROBE, states={**PROBE.states, Listed.KIND: Listed})
    with pytest.raises(Misbuilt, match="Listed cannot be kept in snapshots"):
        asyncio.run(open_system(settings, features=features))


def test_a_state_that_takes_no_snapshots_may_hold_anything() -> None:
    class Free(Loose, frozen=True):
        SNAPSHOT_EVERY = 0

    assert shapes_of([Free], {}) == {}


# ── what tells shapes apart ───────────────────────────────────────────────────────────────────


def test_each_kind_has_a_shape_of_its_own() -> None:
    topics = [SHAPES[FEATURES.states[kind]].topic for kind in KINDS]
    assert [topic.partition("@")[0] for topic in topics] == KINDS
    assert len(set(topics)) == len(KINDS)


def imported(module: str) -> set[str]:
    """What one names in its imports, as Python itself reads them."""
    names = set()
    for node in ast.walk(ast.parse(Path(str(sys.modules[module].__file__)).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("layer", ["domain", "commands", "infra"])
def test_the_imports_that_are_followed_are_those_that_python_sees(layer: str) -> None:
    """Words of a comment may be taken for imports too: they name no module."""
    modules = [name for name in sys.modules if name.partition(".")[0] == layer]
    assert len(modules) > 20
    for module in modules:
        found = {name for name in shapes._imports(module) if shapes._spec(name)}
        assert found == {name for name in imported(module) if shapes._spec(name)}, module


FILES = {
    "there/__init__.py": "",
    "there/unrelated.py": "NUMBER = 1\n",
    "there/deep.py": "NUMBER = 1\n",
    "there/helper.py": "from .deep import (\n    NUMBER,\n)\n",
    "there/counter.py": """
from domain import Event, State


class Counted(Event, frozen=True):
    TOPIC = "there.counter.counted"


class Counter(State, frozen=True):
    KIND = "there.counter"
    count: int = 0

    def evolve(self, event: Event) -> "Counter":
        from there import helper
        return Counter(count=self.count + helper.NUMBER)
""",
}
PRINT = """
from there import counter, unrelated
from infra.shapes import shapes_of
facts = {counter.Counted.TOPIC: counter.Counted}
print(shapes_of([counter.Counter], facts)[counter.Counter].topic)
"""


def topic_in(folder: Path, file: str = "", old: str = "", new: str = "") -> str:
    """Return the shape's topic as a process sees it whose code differs in one place."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(old, new) if name == file else text)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path[:0] = {[str(folder), str(ROOT)]}\n{PRINT}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The topic where nothing differs."""
    return topic_in(tmp_path_factory.mktemp("same"))


def test_another_process_with_the_same_code_has_the_same_shape(same: str, tmp_path: Path) -> None:
    assert same.startswith("there.counter@")
    assert topic_in(tmp_path) == same, "elsewhere too"
    assert topic_in(tmp_path, "there/unrelated.py", "1", "2") == same


@pytest.mark.parametrize(
    "change",
    [
        ("there/counter.py", "self.count +", "self.count -"),
        ("there/counter.py", "count: int = 0", "count: int = 0\n    more: int = 0"),
        ("there/deep.py", "1", "2"),
        ("there/helper.py", "\n)\n", "\n)\nNUMBER *= 2\n"),
    ],
)
def test_whatever_could_fold_otherwise_is_another_shape(
    same: str, tmp_path: Path, change: Any
) -> None:
    other = topic_in(tmp_path, *change)
    assert other.startswith("there.counter@")
    assert other != same
