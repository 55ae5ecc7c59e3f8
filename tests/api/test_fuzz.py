"""What schemathesis makes of the document: no fault, and no answer that is not documented."""

import copy
from collections.abc import Iterator

import pytest
from schemathesis.core.failures import FailureGroup

from tests.api.http import Http
from tests.api.test_permissions import House
from tests.fuzz.calls import fuzz, operations
from tests.scenario import Scenario
from tests.stores import Stores

EXAMPLES = 3
"""For each route; `make fuzz` takes more."""
SEED = 20_261_121


@pytest.fixture(scope="module")
def house(all_stores: Stores) -> Iterator[House]:
    scenario = Scenario(all_stores.settings("sqlite"), None)
    http = Http(scenario)
    yield House(http)
    http.close()
    scenario.close()


def test_every_answer_of_every_route_is_documented(house: House) -> None:
    found = list(operations(house.document))
    assert len(found) > 80
    for operation in found:
        assert fuzz(house.http, operation, house.ids, EXAMPLES, SEED) > 0, operation.label


def test_an_answer_that_is_not_documented_is_found(house: House) -> None:
    document = copy.deepcopy(house.document)
    path = "/api/v1/accounts"
    document["paths"] = {path: {"post": document["paths"][path]["post"]}}
    del document["paths"][path]["post"]["responses"]["422"]
    (operation,) = operations(document)
    with pytest.raises(FailureGroup) as told:
        fuzz(house.http, operation, house.ids, 10, SEED)
    assert "Undocumented" in str(told.value.exceptions[0])
