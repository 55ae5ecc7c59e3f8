"""Bad input gets a clear error, and loses nothing."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.api.http import ALICE, BOB, OPERATOR, Http, new_id, problem
from tests.scenario import Scenario
from tests.stores import Stores

PROFILE = {"name": "Alice"}
JSON = {"Content-Type": "application/json"}
BODY_BYTES = 1_000_000


@pytest.fixture(scope="module")
def door(all_stores: Stores) -> Iterator[Http]:
    """The app for what never gets as far as a store: one for all such tests, on one store."""
    scenario = Scenario(all_stores.settings("sqlite"), None)
    http = Http(scenario)
    yield http
    http.close()
    scenario.close()


MALFORMED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{nope", "invalid"),
    "half of it": (b'{"name": "Al', "invalid"),
    "two of it": (b"{}{}", "invalid"),
    "invalid UTF-8": (b'{"name": "\xff\xfe"}', "malformed"),
    "UTF-16": ('{"name": "Alice"}'.encode("utf-16")[:-1], "malformed"),
    "deep": (b'{"name": ' + b"[" * 100_000, "malformed"),
    "deep and closed": (b"[" * 60_000 + b"]" * 60_000, "malformed"),
    "a number of 5000 digits": (b'{"name": ' + b"9" * 5_000 + b"}", "malformed"),
    "no object": (b"[1, 2]", "invalid"),
    "null": (b"null", "invalid"),
    "nothing": (b"", "invalid"),
    "a NUL": (b'{"name": "a\\u0000b"}', "invalid"),
    "half a surrogate pair": (b'{"name": "\\ud800"}', "invalid"),
    "half a surrogate pair as a name": (b'{"name": "x", "\\ud800": 1}', "invalid"),
    "not a number": (b'{"name": NaN}', "invalid"),
    "an infinite number": (b'{"name": 1e999}', "invalid"),
    "a name twice, the last one wrong": (b'{"name": "x", "name": 1}', "invalid"),
}


@pytest.mark.parametrize(("body", "code"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_422_and_changes_nothing(door: Http, body: bytes, code: str) -> None:
    said = problem(door.post("/profiles", content=body, headers=JSON), 422, code)
    assert len(json.dumps(said)) < 2_000, "an answer is not as long as what was wrong"
    assert door.scenario.facts() == []
    trail = door.get("/audit", headers=OPERATOR).json()["items"]
    assert {item["command"] for item in trail} == {"identity.ReadTrail"}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown field": ({**PROFILE, "colour": "red"}, "body.colour"),
    "a missing field": ({"bio": "x"}, "body.name"),
    "a wrong type": ({"name": 7}, "body.name"),
    "null": ({"name": None}, "body.name"),
    "too long": ({"name": "x" * 201}, "body.name"),
    "empty": ({"name": "  "}, "body.name"),
    "a line break": ({"name": "a\nb"}, "body.name"),
}


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_named(door: Http, body: dict[str, Any], field: str) -> None:
    said = problem(door.post("/profiles", body), 422, "invalid")
    assert [error["field"] for error in said["errors"]] == [field]
    assert said["errors"][0]["message"]
    assert field in said["detail"]
    assert door.scenario.facts() == []


@pytest.mark.parametrize("amount", [-1, 0, 10**15 + 1, 10**40, 1.5, "100", True, None, [1]])
def test_an_amount_is_a_positive_integer_within_bounds(door: Http, amount: object) -> None:
    body = {"deposit_id": new_id(), "amount": amount, "currency": "EUR"}
    said = problem(door.post(f"/accounts/{new_id()}/deposits", body), 422, "invalid")
    assert [error["field"] for error in said["errors"]] == ["body.amount"]


def test_a_command_without_fields_takes_no_body_or_an_empty_one(api: Http) -> None:
    api.post("/profiles", PROFILE)
    api.post("/profiles", PROFILE, headers={"Aorist-Actor": str(BOB)})
    path = f"/profiles/{BOB}/follow"
    assert api.post(path).status_code == 200
    assert api.post(path, {}).status_code == 200
    said = problem(api.post(path, {"loudly": True}), 422, "invalid")
    assert said["errors"][0]["field"] == "body.loudly"
    problem(api.post(path, content=b"{nope", headers=JSON), 422, "invalid")


def test_a_body_of_another_type_says_which_is_wanted(door: Http) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}):
        refused = door.post("/profiles", content=b'{"name": "Alice"}', headers=headers)
        assert "Content-Type: application/json" in problem(refused, 422, "invalid")["detail"]


@pytest.mark.parametrize("id", ["x", "1", "00000000-0000-0000-0000-00000000000g", "%00", "%ff"])
def test_an_id_must_be_a_uuid(door: Http, id: str) -> None:
    said = problem(door.get(f"/profiles/{id}"), 422, "invalid")
    assert said["errors"][0]["field"] == "path.member_id"
    problem(door.post(f"/profiles/{id}/follow"), 422, "invalid")


def test_an_unknown_id_is_404(api: Http) -> None:
    api.post("/profiles", PROFILE)
    problem(api.get(f"/profiles/{new_id()}"), 404, "not_found")
    problem(api.post(f"/profiles/{new_id()}/follow"), 404, "profile_not_found")
    amount = {"deposit_id": new_id(), "amount": 1, "currency": "EUR"}
    assert api.post(f"/accounts/{new_id()}/deposits", amount).status_code == 404


def test_refusals_have_the_status_of_their_kind(api: Http) -> None:
    problem(api.post("/posts", {"text": "x"}), 409, "profile_required")
    problem(api.post(f"/profiles/{ALICE}/follow"), 409, "profile_required")
    service = {"Aorist-Actor": "job:import"}
    problem(api.post("/profiles", PROFILE, headers=service), 403, "member_required")
    api.post("/profiles", PROFILE)
    problem(api.post(f"/profiles/{ALICE}/follow"), 422, "follow_self")


def test_what_is_no_route_is_a_problem_too(door: Http) -> None:
    problem(door.get("/nowhere"), 404, "no_such_route")
    problem(door.send("DELETE", f"/profiles/{ALICE}"), 405, "method_not_allowed")
    problem(door.get("//elsewhere"), 404, "no_such_route")


# ── size ─────────────────────────────────────────────────────────────────────────────────────


def test_a_body_that_says_it_is_too_large_is_413(door: Http) -> None:
    body = json.dumps({"name": "x" * BODY_BYTES}).encode()
    said = problem(door.post("/profiles", content=body, headers=JSON), 413, "too_large")
    assert str(BODY_BYTES) in said["detail"]


def test_a_chunked_body_that_is_too_large_is_413(door: Http) -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'{"name": "'
        for _ in range(100):
            read += 1
            yield b"x" * 100_000

    problem(door.post("/profiles", content=chunks(), headers=JSON), 413, "too_large")
    assert read <= 11, "the rest is not read"
    assert door.scenario.facts() == []


def test_a_body_of_the_most_bytes_is_taken(api: Http) -> None:
    body = json.dumps({"name": "Alice", "bio": "x"}).encode()
    body += b" " * (BODY_BYTES - len(body))
    assert api.post("/profiles", content=body, headers=JSON).status_code == 201


# ── headers and query strings ────────────────────────────────────────────────────────────────

NOBODY = {
    "nothing": "",
    "blanks": "  ",
    "a tab": "a\tb",
    "a saga": "saga:banking.transfer",
    "too long": "x" * 201,
}


@pytest.mark.parametrize("actor", NOBODY.values(), ids=NOBODY)
def test_a_caller_must_say_who_they_are(door: Http, actor: str) -> None:
    refused = door.get(f"/profiles/{ALICE}", headers={"Aorist-Actor": actor})
    if actor.strip():
        problem(refused, 422, "bad_header")
    else:
        problem(refused, 401, "unauthenticated")


def test_nobody_is_believed_outside_of_development(api: Http) -> None:
    system = api.scenario.system
    system.settings = system.settings.model_copy(update={"development": False})
    said = problem(api.get(f"/profiles/{ALICE}"), 401, "unauthenticated")
    assert "log in at /api/v1/login" in said["detail"]
    problem(api.post("/profiles", PROFILE), 401, "unauthenticated")
    problem(api.get("/events?context=social", headers=OPERATOR), 401, "unauthenticated")
    assert api.get("//livez").status_code == 200


BAD_QUERIES = {
    "/events": {"": "query.context"},
    "/events?context=social": {
        "&after=-1": "query.after",
        "&limit=0": "query.limit",
        "&stream=x": "query.stream",
    },
    f"/aggregates/social.profile/{ALICE}": {
        "?at_version=0": "query.at_version",
        "?at_version=99999999999999999999": "query.at_version",
        "?as_of=yesterday": "query.as_of",
        "?as_of=2026-01-31T12:00:00": "query.as_of",
        "?as_of=0001-01-01T00:00:00%2B14:00": "query.as_of",
    },
    "/audit": {"?since=2026-01-31": "query.since", "?resource=x": "query.resource"},
}


@pytest.mark.parametrize(
    ("path", "field"), [(p + q, f) for p, rest in BAD_QUERIES.items() for q, f in rest.items()]
)
def test_a_wrong_query_string_names_its_field(api: Http, path: str, field: str) -> None:
    api.post("/profiles", PROFILE)
    said = problem(api.get(path, headers=OPERATOR), 422, "invalid")
    assert [error["field"] for error in said["errors"]] == [field]


@pytest.mark.parametrize(
    "path",
    [
        "/events?context=social&topic=%00",
        "/events?context=social&topic=%ff",
        "/audit?actor=%00",
        "/audit?actor=%F0%9F%99%82%27%22%3B--",
        "/audit?cursor=x",
        "/audit?cursor=social:99999999999999999999",
        "/events?context=nowhere",
        "/audit?context=%27",
        f"/aggregates/social.nothing/{ALICE}",
        f"/aggregates/social.post/{ALICE}",
        f"/aggregates/social.profile/{BOB}",
        f"/aggregates/social.profile/{BOB}/history",
        f"/aggregates/social.profile/{ALICE}?at_version=2",
        f"/aggregates/social.profile/{ALICE}?as_of=1999-01-01T00:00:00Z",
    ],
)
def test_strange_values_find_nothing_or_are_refused(api: Http, path: str) -> None:
    api.post("/profiles", PROFILE)
    answer = api.get(path, headers=OPERATOR)
    if answer.status_code == 200:
        assert answer.json()["items"] == []
    else:
        problem(answer, answer.status_code, answer.json()["code"])
        assert answer.status_code in (404, 422), answer.text


@pytest.mark.parametrize("more", ["", "&topic=social.post.drafted", f"&stream={ALICE}"])
def test_a_position_behind_the_end_of_a_log_is_the_callers_mistake(api: Http, more: str) -> None:
    """Or the log has lost facts that this caller has seen: to say that there are none would lie."""
    api.post("/profiles", PROFILE)
    path = "/events?context=social&after={}" + more
    assert api.get(path.format(1), headers=OPERATOR).status_code == 200
    for route in (path.format(2), "/events/stream" + path.format(2).removeprefix("/events")):
        said = problem(api.get(route, headers=OPERATOR), 422, "behind_the_end")
        assert "ends at position 1" in said["detail"]


def test_text_of_any_script_is_kept_as_it_is(api: Http) -> None:
    name, bio = "Ålicé 李 🙂", "‮right to left​ \n\tline"
    made = api.post("/profiles", {"name": name, "bio": bio})
    assert made.status_code == 201, made.text
    api.scenario.settle()
    shown = api.get(f"/profiles/{ALICE}").json()
    assert (shown["name"], shown["bio"]) == (name, bio)
    (item,) = api.get("/events?context=social", headers=OPERATOR).json()["items"]
    assert item["data"] == {"name": name, "bio": bio}
