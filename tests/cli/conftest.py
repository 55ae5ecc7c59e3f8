"""Fixtures: the program on both stores, and on SQLite alone where the store makes no difference."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from infra.settings import Settings
from tests.cli.program import Program
from tests.stores import Stores


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A verb sets logging up for its process; the next test shall not notice."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def aorist(settings: Settings, tmp_path: Path) -> Program:
    return Program(settings.database_url, tmp_path)


@pytest.fixture
def embedded(all_stores: Stores, tmp_path: Path) -> Program:
    return Program(all_stores.settings("sqlite").database_url, tmp_path)
