"""The app on both stores."""

from collections.abc import Iterator

import pytest

from tests.api.http import Http
from tests.scenario import Scenario


@pytest.fixture
def api(world: Scenario) -> Iterator[Http]:
    http = Http(world)
    yield http
    http.close()
