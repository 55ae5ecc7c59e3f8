"""Tries to log in are counted by account and address, for unknown names as for known ones."""

import asyncio

import pytest

from infra.throttle import SHARED, WINDOW_S, Throttle, TooManyTries, network_of
from tests.api.http import Http, problem
from tests.identity.people import PASSWORD, register

TRIES = 3


@pytest.fixture
def api(api: Http) -> Http:
    logins = api.scenario.system.logins
    assert logins
    logins.throttle = Throttle(TRIES)
    api.scenario.send(register(password=PASSWORD))
    return api


def log_in(api: Http, login: str = "ada", password: str = "wrong horse") -> tuple[int, str]:
    answer = api.post("/login", {"login": login, "password": password})
    return answer.status_code, answer.json().get("code", "")


@pytest.mark.parametrize("login", ["ada", "eve"])
def test_an_account_is_tried_so_often_and_no_more(api: Http, login: str) -> None:
    tried = [log_in(api, login) for _ in range(TRIES + 1)]
    assert tried == [(401, "wrong_credentials")] * TRIES + [(429, "too_many_tries")]
    said = api.post("/login", {"login": login.upper(), "password": PASSWORD})
    found = problem_429(said)
    assert f"try again in {said.headers['Retry-After']} seconds" in found
    assert 0 < int(said.headers["Retry-After"]) <= WINDOW_S
    assert api.scenario.facts()[-1][1].topic != "identity.session.started"


def problem_429(said: object) -> str:
    detail: str = said.json()["detail"]  # type: ignore[attr-defined]
    return detail


def test_answers_say_how_many_tries_are_left(api: Http) -> None:
    log_in(api)
    right = api.post("/login", {"login": "ada", "password": PASSWORD})
    assert right.headers["RateLimit-Policy"].startswith(f'"tries";q={TRIES};w={WINDOW_S}, "req')
    assert right.headers["RateLimit"].startswith(f'"tries";r={TRIES - 2};t=')
    for _ in range(TRIES):
        log_in(api)
    refused = api.post("/login", {"login": "ada", "password": PASSWORD})
    again = refused.headers["Retry-After"]
    assert refused.headers["RateLimit"].startswith(f'"tries";r=0;t={again}, "requests"')


def test_who_knows_the_password_begins_anew(api: Http) -> None:
    for _ in range(3):
        for _ in range(TRIES - 1):
            log_in(api)
        assert log_in(api, password=PASSWORD) == (200, "")


def test_an_address_tries_many_accounts_so_often_and_no_more(api: Http) -> None:
    for number in range(TRIES * SHARED):
        assert log_in(api, f"user{number}") == (401, "wrong_credentials")
    assert log_in(api, "another") == (429, "too_many_tries")


def test_others_hardly_lock_somebody_out() -> None:
    async def tried() -> None:
        throttle = Throttle(TRIES)
        for _ in range(TRIES):
            await throttle.try_login("ada", "192.0.2.1")
        with pytest.raises(TooManyTries):
            await throttle.try_login("ada", "192.0.2.1")
        await throttle.try_login("ada", "192.0.2.2")
        for number in range(TRIES * SHARED - TRIES - 1):
            await throttle.try_login("ada", f"198.51.100.{number}")
        with pytest.raises(TooManyTries):
            await throttle.try_login("ada", "203.0.113.1")

    asyncio.run(tried())


def test_strangers_register_so_often_from_an_address(api: Http) -> None:
    del api.client.headers["Aorist-Actor"]

    def register(number: int) -> int:
        user = {"username": f"user{number}", "email": f"{number}@example.org"}
        return api.post("/users", user | {"person": {"name": "Somebody"}}).status_code

    tried = [register(number) for number in range(TRIES * SHARED + 1)]
    assert tried == [201] * TRIES * SHARED + [429]


def test_refreshing_is_tried_so_often_from_an_address(api: Http) -> None:
    for _ in range(TRIES * SHARED):
        problem(api.post("/login/refresh", {"refresh_token": "x"}), 401, "bad_token")
    assert api.post("/login/refresh", {"refresh_token": "x"}).status_code == 429


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("/tmp/socket", "/tmp/socket"),
        (None, "unknown"),
    ],
)
def test_a_network_of_ipv6_is_one_caller(address: str | None, network: str) -> None:
    assert network_of(address) == network
