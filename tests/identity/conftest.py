"""Fixtures of the tests of identity."""

from collections.abc import Iterator

import pytest

from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.scenario import Scenario


@pytest.fixture
def other_identity(identity: Scenario, settings: Settings) -> Iterator[System]:
    """A second system on the store of `identity`: another process, as far as the store can tell."""
    system = identity.run(open_system(settings))
    yield system
    identity.run(system.close())
