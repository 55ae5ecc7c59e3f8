"""Fixtures: every scenario runs on both stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario import Scenario
from tests.stores import STORES, Stores, stores


@pytest.fixture(scope="session")
def all_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    yield from stores(Path(tmp_path_factory.mktemp("stores")))


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> str:
    """The kind of store a test runs on: every test that asks runs on each."""
    return str(request.param)


def _scenario(all_stores: Stores, store: str, context: str | None) -> Iterator[Scenario]:
    scenario = Scenario(all_stores.settings(store), context)
    try:
        yield scenario
    finally:
        scenario.close()


@pytest.fixture
def banking(all_stores: Stores, store: str) -> Iterator[Scenario]:
    yield from _scenario(all_stores, store, "banking")


@pytest.fixture
def commerce(all_stores: Stores, store: str) -> Iterator[Scenario]:
    yield from _scenario(all_stores, store, "commerce")


@pytest.fixture
def social(all_stores: Stores, store: str) -> Iterator[Scenario]:
    yield from _scenario(all_stores, store, "social")


@pytest.fixture
def world(all_stores: Stores, store: str) -> Iterator[Scenario]:
    """All contexts: `then` compares the facts of all of them, context by context."""
    yield from _scenario(all_stores, store, None)
