"""What a request may be at most, in its head and its body; more is a problem, never a fault."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.bounds import MAX_DEPTH, MAX_HEAD, MAX_HEADERS, MAX_TARGET, is_deep
from tests.api.http import Http, problem
from tests.scenario import Scenario
from tests.stores import Stores

JSON = {"Content-Type": "application/json"}
ROUTES = ("/profiles", "/login")
"""One that sends a command, and one that the framework runs."""


@pytest.fixture(scope="module")
def door(all_stores: Stores) -> Iterator[Http]:
    """The app for what never gets as far as a store."""
    scenario = Scenario(all_stores.settings("sqlite"), None)
    http = Http(scenario)
    yield http
    http.close()
    scenario.close()


def nested(depth: int) -> Any:
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"name": value}
    return value


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200, 900, 990, 5_000])
def test_a_body_that_is_too_deep_is_malformed(door: Http, route: str, depth: int) -> None:
    deep = b'{"name": ' * (depth - 1) + b"[1]" + b"}" * (depth - 1)
    problem(door.post(route, content=deep, headers=JSON), 422, "malformed")


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_of_the_most_depth_is_read(door: Http, route: str) -> None:
    problem(door.post(route, {"name": nested(MAX_DEPTH - 1)}), 422, "invalid")


def test_brackets_in_texts_and_beside_each_other_are_not_deep() -> None:
    assert not is_deep(json.dumps({"text": '[{"\\' * 100}).encode())
    assert not is_deep(json.dumps([[{}]] * 1_000).encode())
    assert not is_deep(b"]" * 100 + b"[" * 100)
    assert is_deep(json.dumps([["["] * 50, nested(MAX_DEPTH)]).encode())
    assert is_deep(b'"' + b"[" * 100), "a text without an end is none"


@pytest.mark.parametrize("route", [*ROUTES, "//nowhere"])
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_body_is_415_whatever_is_in_it(door: Http, route: str, coding: str) -> None:
    headers = {**JSON, "Content-Encoding": coding}
    refused = door.post(route, content=b"\x1f\x8b", headers=headers)
    problem(refused, 415, "compressed_body")
    assert refused.headers["Accept-Encoding"] == "identity;q=1"


def test_a_head_has_so_many_headers_and_no_more(door: Http) -> None:
    many = {f"X-{number}": "x" for number in range(MAX_HEADERS)}
    problem(door.get("/timeline", headers=many), 431, "head_too_large")
    problem(door.post("/profiles", {}, headers=many), 431, "head_too_large")


def test_a_head_has_so_many_bytes_and_no_more(door: Http) -> None:
    problem(door.get("/timeline", headers={"X": "x" * MAX_HEAD}), 431, "head_too_large")
    assert door.get("/timeline", headers={"X": "x" * (MAX_HEAD // 2)}).status_code != 431


@pytest.mark.parametrize("place", ["/timeline?cursor={}", "/profiles/{}", "//{}"])
def test_a_target_has_so_many_bytes_and_no_more(door: Http, place: str) -> None:
    said = problem_of_long(door, place.format("x" * MAX_TARGET))
    assert len(json.dumps(said)) < 2_000, "an answer does not repeat it"


def problem_of_long(door: Http, path: str) -> dict[str, Any]:
    answer = door.get(path)
    assert (answer.status_code, answer.json()["code"]) == (414, "target_too_long")
    found: dict[str, Any] = answer.json()
    return found
