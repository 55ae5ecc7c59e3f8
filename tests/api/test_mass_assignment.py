"""A body has the fields of its command and no others, however well a caller knows the names.

Each write is sent every name that states, facts, envelopes, receipts and tables have.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.sending import Sending
from commands import Caller, Receipt
from domain import Envelope, Event, State
from infra.discovery import discover
from infra.log.port import Origin, Stored
from tests.api.http import Http, problem
from tests.api.test_permissions import BY_TOKEN_ONLY, House
from tests.scenario import Scenario
from tests.stores import Stores

SURPRISE = "a surprise"


def names() -> set[str]:
    """Return every name that something here has inside."""
    found = discover()
    structs: list[type] = [*found.facts.values(), *found.states.values(), Envelope, Origin, Stored]
    kinds = (*structs, Caller, Receipt, Event, State)
    fields = {name for kind in kinds for name in getattr(kind, "__struct_fields__", ())}
    columns = {
        column.name for one in found.projections for table in one.tables for column in table.columns
    }
    return fields | columns | {"id", "owner", "role", "roles", "is_admin", "__class__", "TOPIC"}


NAMES = names()


@pytest.fixture(scope="module")
def house(all_stores: Stores) -> Iterator[House]:
    scenario = Scenario(all_stores.settings("sqlite"), None)
    http = Http(scenario)
    yield House(http)
    http.close()
    scenario.close()


def sendings(http: Http) -> Iterator[Sending]:
    def below(place: Any) -> Iterator[Sending]:
        if place.sending:
            yield place.sending
        for one in place.below.values():
            yield from below(one)

    for root in http.app.around._commands._methods.values():  # type: ignore[attr-defined]
        yield from below(root)


def objects(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield every object within a body, with the way to it."""
    if isinstance(value, dict):
        yield path, value
        for name, one in value.items():
            yield from objects(one, (*path, name))
    if isinstance(value, list) and value:
        yield from objects(value[0], (*path, 0))


def surprised(body: Any, where: tuple[Any, ...]) -> tuple[Any, set[str]]:
    """Return the body with every other name in the object at that place, and the names."""
    changed = msgspec.json.decode(msgspec.json.encode(body))
    place = changed
    for part in where:
        place = place[part]
    more = NAMES - place.keys()
    place.update(dict.fromkeys(more, SURPRISE))
    return changed, more


def test_there_is_something_to_try(house: House) -> None:
    assert len(NAMES) > 150
    assert {"balance", "status", "version", "actor", "position", "customer_id"} <= NAMES
    assert len(list(sendings(house.http))) > 40


def test_no_write_takes_a_field_that_is_not_its_commands(house: House) -> None:
    before, tried = house.facts(), 0
    for path, methods in house.document["paths"].items():
        for method in methods.keys() - {"get"} if path != BY_TOKEN_ONLY else ():
            body = house._body(method.upper(), path) or {}
            for where, _ in objects(body):
                changed, _ = surprised(body, where)
                answer = house.http.send(method.upper(), "/" + path, json=changed)
                said = problem(answer, 422, "invalid")
                assert len(said["errors"]) >= min(50, len(NAMES) - 50), f"{path} {where}"
                tried += 1
    assert tried > 50
    assert house.facts() == before


def test_each_name_by_itself_is_refused(house: House) -> None:
    """Not some of them for the sake of the others."""
    for sending in sendings(house.http):
        body = house._body("POST", sending.path) or {}
        for where, value in objects(body):
            changed, more = surprised(body, where)
            allowed = fields_at(sending.body, where, value)
            refused = {
                error["loc"][-1]
                for error in errors(sending, changed)
                if error["type"] in ("extra_forbidden", "unexpected_keyword_argument")
            }
            assert more - allowed <= refused, f"{sending.path} {where} takes {more - refused}"
            assert value.keys() <= allowed


def errors(sending: Sending, body: Any) -> list[Any]:
    try:
        sending.body.model_validate(body)
    except ValueError as error:
        return error.errors()  # type: ignore[attr-defined, no-any-return]
    return []


def fields_at(model: Any, where: tuple[Any, ...], given: Any) -> set[str]:
    """Return the fields that the body's schema names at a place; of several kinds, the given's."""
    schema = model.model_json_schema()
    found = [schema]
    for part in where:
        inside = [one["items"] if part == 0 else one["properties"][part] for one in found]
        found = [kind for one in inside for kind in kinds(schema, one)]
    fitting = [set(one.get("properties", {})) for one in found]
    return next((one for one in fitting if given.keys() <= one), set())


def kinds(schema: Any, here: Any) -> Iterator[Any]:
    """Yield the schemas that one may stand for."""
    if "$ref" in here:
        yield from kinds(schema, schema["$defs"][here["$ref"].rpartition("/")[2]])
    elif several := here.get("anyOf") or here.get("oneOf"):
        for one in several:
            yield from kinds(schema, one)
    else:
        yield here
