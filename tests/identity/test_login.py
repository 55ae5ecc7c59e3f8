"""Logging in over HTTP, acting by a token, and no longer."""

from collections.abc import Callable
from typing import Any

import pytest

from commands.identity.user import GrantRole, ReactivateUser, SuspendUser
from infra.keys import make_key
from infra.tokens import BadToken
from infra.wiring import open_system
from tests.api.http import Http, problem
from tests.identity.people import ADA, PASSWORD, register

CREDENTIALS = {"login": "ada", "password": PASSWORD}
ME = "/timeline"
"""What every user may ask for."""


@pytest.fixture
def ada(api: Http) -> Http:
    """Ada has registered with a password; nobody is named by a header."""
    api.scenario.when(register(password=PASSWORD))
    del api.client.headers["Aorist-Actor"]
    return api


def logged_in(api: Http, **fields: str) -> dict[str, Any]:
    answer = api.post("/login", CREDENTIALS | fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def bearer(login: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {login['access_token']}"}


def refreshed(api: Http, login: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("/login/refresh", {"refresh_token": login["refresh_token"]})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_who_logged_in_is_the_caller(ada: Http) -> None:
    login = logged_in(ada)
    assert (login["token_type"], login["expires_in"]) == ("Bearer", 600)
    made = ada.post("/profiles", {"name": "Ada"}, headers=bearer(login))
    assert made.json()["id"] == str(ADA)
    (fact, at) = ada.scenario.facts()[-1]
    assert (type(fact).__name__, at.actor) == ("ProfileCreated", str(ADA))


def test_the_token_says_who_calls_whatever_a_header_names(ada: Http) -> None:
    pretended = {"Aorist-Actor": "somebody", "Aorist-Roles": "operator", **bearer(logged_in(ada))}
    refused = ada.get("/events?context=social", headers=pretended)
    problem(refused, 403, "not_allowed")


def test_the_header_names_nobody_outside_development(ada: Http) -> None:
    system = ada.scenario.system
    system.settings = system.settings.model_copy(update={"development": False})
    refused = ada.get(ME, headers={"Aorist-Actor": str(ADA)})
    assert "/api/v1/login" in problem(refused, 401, "unauthenticated")["detail"]
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert ada.get(ME, headers=bearer(logged_in(ada))).status_code == 200


def test_an_unknown_user_and_a_wrong_password_get_one_answer(ada: Http) -> None:
    wrong, unknown = (
        ada.post("/login", {**CREDENTIALS, **other})
        for other in ({"password": "wrong horse"}, {"login": "eve"})
    )
    problem(wrong, 401, "wrong_credentials")
    differ = {"correlation_id": ""}
    assert wrong.json() | differ == unknown.json() | differ
    names = [set(answer.headers) for answer in (wrong, unknown)]
    assert names[0] == names[1]


def test_an_idempotency_key_lets_nobody_in(ada: Http) -> None:
    """The fingerprint has no password: by it a wrong one would be the right one again."""
    key = {"Idempotency-Key": "k"}
    assert ada.post("/login", CREDENTIALS, headers=key).status_code == 200
    wrong = ada.post("/login", {**CREDENTIALS, "password": "wrong horse"}, headers=key)
    problem(wrong, 401, "wrong_credentials")


@pytest.mark.parametrize("secret", ["x" * 257, 7, ["deep"]])
def test_a_password_of_a_wrong_form_is_not_repeated(ada: Http, secret: object) -> None:
    answer = ada.post("/login", {"login": "ada", "password": secret})
    problem(answer, 422, "invalid")
    assert "got" not in answer.text


def test_each_refresh_gives_the_next_tokens(ada: Http) -> None:
    first = logged_in(ada)
    second = refreshed(ada, first)
    third = refreshed(ada, second)
    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    assert ada.get(ME, headers=bearer(third)).status_code == 200


def test_the_trail_says_whose_login_was_refreshed(ada: Http) -> None:
    refreshed(ada, logged_in(ada))
    assert ada.scenario.facts()[-1][1].actor == str(ADA)


def test_a_refresh_token_used_again_ends_the_login_for_thief_and_user(ada: Http) -> None:
    first = logged_in(ada)
    second = refreshed(ada, first)
    again = ada.post("/login/refresh", {"refresh_token": first["refresh_token"]})
    problem(again, 401, "session_over")
    problem(ada.get(ME, headers=bearer(first)), 401, "bad_token")
    problem(ada.get(ME, headers=bearer(second)), 401, "bad_token")
    newest = ada.post("/login/refresh", {"refresh_token": second["refresh_token"]})
    problem(newest, 401, "session_over")
    assert ada.get(ME, headers=bearer(logged_in(ada))).status_code == 200


def test_who_logged_out_is_nobody(ada: Http) -> None:
    login, other = logged_in(ada), logged_in(ada)
    assert ada.post("/logout", headers=bearer(login)).status_code == 204
    problem(ada.get(ME, headers=bearer(login)), 401, "bad_token")
    problem(ada.post("/logout", headers=bearer(login)), 401, "bad_token")
    assert ada.get(ME, headers=bearer(other)).status_code == 200, "the other login goes on"


def test_only_a_login_is_logged_out(ada: Http) -> None:
    by_name = ada.post("/logout", headers={"Aorist-Actor": str(ADA)})
    problem(by_name, 401, "unauthenticated")


def test_a_suspended_users_tokens_die_at_once(ada: Http) -> None:
    login = logged_in(ada)
    ada.scenario.send(SuspendUser(user_id=ADA, reason="fraud"))
    problem(ada.get(ME, headers=bearer(login)), 401, "bad_token")
    again = ada.post("/login/refresh", {"refresh_token": login["refresh_token"]})
    problem(again, 409, "user_suspended")
    problem(ada.post("/login", CREDENTIALS), 409, "user_suspended")
    ada.scenario.send(ReactivateUser(user_id=ADA, reason="cleared"))
    assert ada.get(ME, headers=bearer(login)).status_code == 200


def test_a_role_counts_at_once_for_tokens_that_are_out(ada: Http) -> None:
    login = logged_in(ada)
    facts = "/events?context=identity"
    problem(ada.get(facts, headers=bearer(login)), 403, "not_allowed")
    ada.scenario.send(GrantRole(user_id=ADA, role="auditor"))
    assert ada.get(facts, headers=bearer(login)).status_code == 200


BEFORE: dict[str, Callable[[Http], object]] = {
    "from the read models": lambda ada: ada.scenario.settle(),
    "from the log": lambda ada: None,
}


@pytest.mark.parametrize("known", BEFORE)
def test_another_process_knows_who_may_act(ada: Http, known: str) -> None:
    """It begins with the read models as far as they are, and with what the log has after that."""
    login, gone = logged_in(ada), logged_in(ada)
    ada.post("/logout", headers=bearer(gone))
    ada.scenario.send(GrantRole(user_id=ADA, role="auditor"))
    BEFORE[known](ada)

    other = ada.scenario.run(open_system(ada.scenario.system.settings))
    assert other.logins
    assert ada.scenario.run(other.logins.who(login["access_token"])).roles == {"auditor"}
    with pytest.raises(BadToken, match="has ended"):
        ada.scenario.run(other.logins.who(gone["access_token"]))
    ada.scenario.run(other.close())


def test_new_keys_log_nobody_out_and_a_removed_key_does(ada: Http) -> None:
    folder = ada.scenario.system.settings.keys_folder
    before = logged_in(ada)
    id = make_key(folder, ada.scenario.clock.now())
    after = logged_in(ada)
    assert ada.get(ME, headers=bearer(before)).status_code == 200
    assert ada.get(ME, headers=bearer(after)).status_code == 200
    (folder / f"{id}.pem").unlink()
    problem(ada.get(ME, headers=bearer(after)), 401, "bad_token")
    assert ada.get(ME, headers=bearer(before)).status_code == 200
