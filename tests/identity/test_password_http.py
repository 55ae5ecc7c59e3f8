"""Changing a password over HTTP: by who knows it, so often and no more, and all others are out."""

from typing import Any

import pytest

from infra.throttle import Throttle
from tests.api.http import Http, problem
from tests.identity.people import ADA, PASSWORD, register

NEW = "another good one"
PATH = f"/users/{ADA}/password"


@pytest.fixture
def ada(api: Http) -> Http:
    """Ada has registered with a password; nobody is named by a header."""
    api.scenario.send(register(password=PASSWORD))
    del api.client.headers["Aorist-Actor"]
    return api


def logged_in(api: Http, password: str = PASSWORD) -> dict[str, str]:
    answer = api.post("/login", {"login": "ada", "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def change(api: Http, by: dict[str, str], old: str = PASSWORD) -> Any:
    return api.post(PATH, {"old": old, "new": NEW}, headers=by)


def test_the_login_that_changes_it_goes_on_and_the_others_are_out_at_once(ada: Http) -> None:
    mine, other = logged_in(ada), logged_in(ada)
    answer = change(ada, mine)
    assert answer.status_code == 204, answer.text
    assert answer.headers["RateLimit"]
    assert ada.get("/timeline", headers=mine).status_code == 200
    problem(ada.get("/timeline", headers=other), 401, "bad_token")
    problem(ada.post("/login", {"login": "ada", "password": PASSWORD}), 401, "wrong_credentials")
    logged_in(ada, NEW)


def test_whoever_found_a_login_does_not_find_out_the_password(ada: Http) -> None:
    logins = ada.scenario.system.logins
    assert logins
    by = logged_in(ada)
    logins.throttle = Throttle(2)
    for _ in range(2):
        problem(change(ada, by, old="wrong horse"), 409, "wrong_password")
    problem(change(ada, by), 429, "too_many_tries")
    logged_in(ada, PASSWORD)


def test_strangers_and_others_change_nothing(ada: Http) -> None:
    problem(change(ada, {}), 401, "unauthenticated")
    other = {"username": "eve", "email": "eve@example.org", "password": PASSWORD}
    ada.post("/users", other | {"person": {"name": "Eve"}})
    eve = ada.post("/login", {"login": "eve", "password": PASSWORD}).json()["access_token"]
    problem(change(ada, {"Authorization": f"Bearer {eve}"}), 404, "not_found")
    logged_in(ada, PASSWORD)
