"""Requests are counted by who sends them, and each answer says how many are left."""

import asyncio
import re

import pytest
from limits.aio.storage import MemoryStorage

from api.bounds import MAX_HEAD
from api.middleware import Around
from infra.counters import Counters
from infra.rates import WINDOW_S, Rates
from tests.api.http import BOB, Http, problem
from tests.identity.people import PASSWORD

MOST = 4
NOON = 1_000_000.5 * WINDOW_S
SHOP = "https://shop.example"


def around(api: Http, monkeypatch: pytest.MonkeyPatch, requests: int, *origins: str) -> None:
    """Let the app have other limits."""
    # In the middle of a window: a test that began at its end would see the next one.
    monkeypatch.setattr("infra.counters.time", lambda: NOON)
    old = api.app.around  # type: ignore[attr-defined]
    new = Around(old._app, old._commands, Rates(requests), origins)
    monkeypatch.setattr(api.app, "around", new)


@pytest.fixture
def limited(api: Http, monkeypatch: pytest.MonkeyPatch) -> Http:
    around(api, monkeypatch, MOST)
    return api


def left(answer: object) -> int:
    headers = answer.headers  # type: ignore[attr-defined]
    assert headers["RateLimit-Policy"] == f'"requests";q={MOST};w={WINDOW_S}'
    found = re.fullmatch(r'"requests";r=(\d+);t=(\d+)', headers["RateLimit"])
    assert found, headers
    assert 0 < int(found[2]) <= WINDOW_S
    return int(found[1])


def test_each_answer_says_how_many_requests_are_left(limited: Http) -> None:
    answers = [
        limited.post("/profiles", {"name": "Alice"}),  # a command
        limited.post("/profiles", {"nome": "Alice"}),  # a refusal
        limited.get("/timeline"),  # a query
        limited.get("/nowhere", headers={"X": "x" * MAX_HEAD}),
    ]
    assert [left(answer) for answer in answers] == [3, 2, 1, 0]


def test_too_many_are_429_for_that_caller_alone_and_change_nothing(limited: Http) -> None:
    for _ in range(MOST):
        limited.get("/timeline")
    for refused in (limited.get("/timeline"), limited.post("/profiles", {"name": "Alice"})):
        problem(refused, 429, "too_many_requests")
        assert left(refused) == 0
        assert refused.headers["Retry-After"] in refused.headers["RateLimit"]
    assert limited.scenario.facts() == []
    as_bob = {"Aorist-Actor": str(BOB)}
    assert limited.post("/profiles", {"name": "Bob"}, headers=as_bob).status_code == 201


def test_who_looks_after_the_process_is_not_counted(limited: Http) -> None:
    for path in ("//livez", "//readyz", "//metrics") * MOST:
        answer = limited.get(path)
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


def test_a_token_is_counted_for_its_user_and_a_wrong_one_for_the_address(
    api: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = {"username": "ada", "email": "ada@example.org", "person": {"name": "Ada"}}
    api.post("/users", user | {"password": PASSWORD})
    tokens = [
        api.post("/login", {"login": "ada", "password": PASSWORD}).json()["access_token"]
        for _ in range(2)
    ]
    around(api, monkeypatch, MOST)
    del api.client.headers["Aorist-Actor"]
    for token in tokens * (MOST // 2):
        answer = api.get("/timeline", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code != 429
    bearer = {"Authorization": f"bearer {tokens[0]}"}
    problem(api.get("/timeline", headers=bearer), 429, "too_many_requests")
    for number in range(MOST):
        wrong = {"Authorization": f"Bearer {number}"}
        problem(api.get("/timeline", headers=wrong), 401, "bad_token")
    problem(api.get("/timeline"), 429, "too_many_requests")


def test_counters_agree_with_those_of_the_library() -> None:
    async def both() -> None:
        ours, theirs = Rates(MOST), Rates(MOST, lambda _: MemoryStorage())
        for _ in range(MOST + 2):
            one, other = await ours.count("x"), await theirs.count("x")
            assert (one.passed, one.left, one.of) == (other.passed, other.left, other.of)
            assert abs(one.reset_s - other.reset_s) <= 1

    asyncio.run(both())


def test_a_window_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000 * WINDOW_S

    async def counted() -> None:
        nonlocal now
        rates = Rates(MOST)
        assert [(await rates.count("x")).passed for _ in range(MOST + 1)] == [True] * MOST + [False]
        now += WINDOW_S + WINDOW_S // 2
        assert [(await rates.count("x")).passed for _ in range(3)] == [True, True, False]
        now += 2 * WINDOW_S
        assert (await rates.count("x")).left == MOST - 1

    monkeypatch.setattr("infra.counters.time", lambda: now)
    asyncio.run(counted())


def test_counters_are_bounded_and_forget_the_oldest() -> None:
    counters = Counters(3)
    for number in range(10):
        counters.take(str(number), 1, WINDOW_S)
    assert len(counters) == 3
    assert not counters.take("9", 1, WINDOW_S).passed


def test_a_long_name_is_not_kept_as_it_is(limited: Http) -> None:
    for number in range(MOST):
        limited.get("/timeline", headers={"Aorist-Actor": "x" * 1_000 + str(number)})
    long = {"Aorist-Actor": "x" * 2_000}
    problem(limited.get("/timeline", headers=long), 429, "too_many_requests")


# ── other origins ────────────────────────────────────────────────────────────────────────────


def test_pages_of_origins_that_are_named_may_call(
    api: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    around(api, monkeypatch, 1_000, SHOP)
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, idempotency-key, content-type",
    }
    may = api.send("OPTIONS", "/profiles", headers=asked)
    assert (may.status_code, may.headers["Access-Control-Allow-Origin"]) == (200, SHOP)
    assert "Access-Control-Allow-Credentials" not in may.headers, "there are no cookies"
    for answer in (
        api.post("/profiles", {"name": "Alice"}, headers={"Origin": SHOP}),
        api.get("/timeline", headers={"Origin": SHOP}),
        api.get("/nowhere", headers={"Origin": SHOP}),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert "Aorist-Position" in answer.headers["Access-Control-Expose-Headers"]


def test_pages_of_others_may_not(api: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    around(api, monkeypatch, 1_000, SHOP)
    for origin in ("https://evil.example", SHOP + ".evil.example", "http://shop.example", "null"):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert api.send("OPTIONS", "/profiles", headers=asked).status_code == 400
        answer = api.get("/timeline", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
