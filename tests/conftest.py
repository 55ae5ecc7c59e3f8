"""Fixtures, and what runs on which store.

The engine's tests run on both stores. What a context does, and how it is told, is the same on each:
every such test runs on one of the two; with `--every-store`, or marked so, it runs on both.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest
import structlog

from infra import redis
from infra.collector import load_quickly, look_rarely
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.api.http import Http
from tests.probe.features import FEATURES
from tests.redises import Server, server
from tests.scenario import Scenario
from tests.source import CONTEXTS, ROOT
from tests.stores import STORES, Stores, stores

# Databases, roles, counters and kept answers are a test's own, whatever `.services/env` says.
for name in ("DATABASE_URL", "DATABASE_OWNER", "DATABASE_OWNER_PASSWORD", "REDIS_URL"):
    os.environ.pop(f"AORIST_{name}", None)

ON_ONE_STORE = frozenset(ROOT / "tests" / folder for folder in (*CONTEXTS, "api", "cli"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-store", action="store_true", help="run each scenario on both stores")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one of the two runs of what is the same on each store: which, its name decides."""
    if config.getoption("--every-store"):
        return
    runs: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        store = item.callspec.params.get("store") if hasattr(item, "callspec") else None
        everywhere = item.get_closest_marker("every_store")
        if store in STORES and not everywhere and not ON_ONE_STORE.isdisjoint(item.path.parents):
            runs.setdefault(item.nodeid.replace(store, ""), {})[store] = item
    left = [
        both[STORES[crc32(name.encode()) % len(STORES)]]
        for name, both in runs.items()
        if len(both) == len(STORES)
    ]
    gone = set(left)
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=left)


def pytest_configure() -> None:
    load_quickly()


def pytest_collection_finish() -> None:
    """Python never looks for garbage in what stays until the end: every module and every test."""
    look_rarely()


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What a test sets up for log lines is its own."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def all_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    yield from stores(Path(tmp_path_factory.mktemp("stores")))


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    """The kind of store a test runs on: every test that asks runs on each."""
    return str(request.param)


@pytest.fixture
def settings(all_stores: Stores, store: str) -> Settings:
    """Settings for an empty store."""
    return all_stores.settings(store)


def _closing(scenario: Scenario) -> Iterator[Scenario]:
    try:
        yield scenario
    finally:
        scenario.close()


def _fixture_for(context: str) -> Callable[..., object]:
    @pytest.fixture(name=context)
    def scenario(settings: Settings) -> Iterator[Scenario]:
        yield from _closing(Scenario(settings, context))

    return scenario


# One for each context, under its name: a new context has its fixture by being there.
globals().update({context: _fixture_for(context) for context in CONTEXTS})


@pytest.fixture
def world(settings: Settings) -> Iterator[Scenario]:
    """All contexts: `then` compares the facts of all of them, context by context."""
    yield from _closing(Scenario(settings, None))


@pytest.fixture
def probe(settings: Settings) -> Iterator[Scenario]:
    """A context that exists in the tests only, for what holds in every context."""
    yield from _closing(Scenario(settings, "probe", features=FEATURES))


@pytest.fixture
def other(probe: Scenario, settings: Settings) -> Iterator[System]:
    """A second system on the store of `probe`: another process, as far as the store can tell."""
    system = probe.run(open_system(settings, features=FEATURES))
    yield system
    probe.run(system.close())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    with server() as made:
        yield made


@pytest.fixture
def private(redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """An empty Redis of the test's own; who has lost it asks again soon."""
    monkeypatch.setattr(redis, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(redis, "MAX_PAUSE_S", 0.01)
    redis_server.restore()
    redis_server.client.flushall()
    return redis_server


@pytest.fixture
def api(world: Scenario) -> Iterator[Http]:
    """The app on both stores."""
    http = Http(world)
    yield http
    http.close()
