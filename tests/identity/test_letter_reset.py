"""Getting in again by a letter: who asks learns nothing, who reads it chooses a password."""

import pytest
from pydantic import SecretStr

from commands.identity.letter import AskForReset, ResetPassword
from commands.identity.password import ChangePassword
from commands.identity.session import LogIn, WrongCredentials
from commands.identity.user import ChangeEmail, SuspendUser
from domain.identity.letter import LIFETIMES, MAX_ASKED, RESET, TokenNotGood, TooManyLetters
from domain.identity.logins import Logins, logins_id
from domain.identity.user import UserIsSuspended, UserNotFound
from infra.throttle import Throttle
from projections.identity.user import user
from tests.api.http import OPERATOR, Http, problem
from tests.identity.people import ADA, PASSWORD, letters, link_of, newest_token, register
from tests.scenario import Scenario

NEW = "another good one"
ask = AskForReset(login="ada")


@pytest.fixture
def ada(identity: Scenario) -> Scenario:
    return identity.when(register(password=PASSWORD), log_in(PASSWORD), log_in(PASSWORD))


def log_in(password: str) -> LogIn:
    return LogIn(login="ada", password=SecretStr(password))


def reset(token: SecretStr) -> ResetPassword:
    return ResetPassword(token=token, new=SecretStr(NEW))


def test_the_letters_reader_chooses_a_password_and_all_logins_end(ada: Scenario) -> None:
    ada.when(AskForReset(login="ada@example.org"))
    assert len(ada.state(Logins, logins_id(ADA)).open) == 2
    assert not ada.when(reset(newest_token(ada))).refusals
    assert ada.state(Logins, logins_id(ADA)).open == ()
    ada.when(log_in(PASSWORD)).refused(WrongCredentials)
    assert not ada.when(log_in(NEW)).refusals
    assert ada.rows(user(ADA))["verified"], "who reads the letter has the address"


def test_a_token_is_good_once_for_an_hour_and_for_this_alone(ada: Scenario) -> None:
    verifying = newest_token(ada)
    ada.when(ask)
    token = newest_token(ada)
    ada.when(reset(verifying)).refused(TokenNotGood)
    ada.when(reset(token))
    ada.when(reset(token)).refused(TokenNotGood)
    ada.when(ask).after(LIFETIMES[RESET])
    ada.when(reset(newest_token(ada))).refused(TokenNotGood)


def test_another_password_or_address_makes_the_token_useless(ada: Scenario) -> None:
    ada.when(ask)
    old, new = SecretStr(PASSWORD), SecretStr(NEW)
    ada.when(ChangePassword(user_id=ADA, old=old, new=new))
    ada.when(reset(newest_token(ada))).refused(TokenNotGood)
    ada.when(ask)
    token = newest_token(ada)
    ada.when(ChangeEmail(user_id=ADA, email="ada@example.net"))
    ada.when(reset(token)).refused(TokenNotGood)


def test_no_letter_goes_to_nobody_and_to_the_suspended(ada: Scenario) -> None:
    ada.when(AskForReset(login="eve")).refused(UserNotFound)
    ada.send(SuspendUser(user_id=ADA, reason="fraud"))
    ada.when(ask).refused(UserIsSuspended)
    assert len(letters(ada)) == 1


def test_a_box_is_not_filled(ada: Scenario) -> None:
    for _ in range(MAX_ASKED):
        assert not ada.when(ask).refusals
    ada.when(ask).refused(TooManyLetters)


@pytest.fixture
def http(api: Http) -> Http:
    api.scenario.send(register(password=PASSWORD))
    del api.client.headers["Aorist-Actor"]
    return api


def test_the_answer_is_the_same_for_those_there_are_and_those_there_are_not(http: Http) -> None:
    found = [http.post("/forgotten-password", {"login": name}) for name in ("ada", "eve")]
    for answer in found:
        assert answer.status_code == 202
        assert "on its way" in answer.text
    assert found[0].content == found[1].content
    differ = {"x-correlation-id", "ratelimit"}
    known, unknown = ({k: v for k, v in one.headers.items() if k not in differ} for one in found)
    assert known == unknown
    trail = http.get("/audit", params={"context": "identity"}, headers=OPERATOR).json()["items"]
    assert [(one["result"], one["reason"]) for one in trail[1:3]] == [
        ("accepted", f"letter of {ADA}"),
        ("user_not_found", None),
    ], "one append each"


def test_asking_is_throttled(http: Http) -> None:
    logins = http.scenario.system.logins
    assert logins
    logins.throttle = Throttle(1)
    assert http.post("/forgotten-password", {"login": "eve"}).status_code == 202
    problem(http.post("/forgotten-password", {"login": "eve"}), 429, "too_many_tries")


def test_over_http_the_letters_link_leads_to_a_page_and_its_token_to_a_password(
    http: Http,
) -> None:
    http.post("/forgotten-password", {"login": "ada"})
    http.scenario.settle()
    by_purpose = {
        link_of(one)[0].rpartition("/")[2]: link_of(one) for one in letters(http.scenario)
    }
    for link, _ in by_purpose.values():
        page = http.get(link.partition("/api/v1")[2])
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "Content-Security-Policy" in page.headers
    token = by_purpose["verify-email"][1]
    assert http.post("/verify-email", {"token": token}).status_code == 200
    refused = problem(http.post("/verify-email", {"token": token}), 403, "token_not_good")
    assert token not in str(refused)
    token = by_purpose["reset-password"][1]
    assert http.post("/reset-password", {"token": token, "new": NEW}).status_code == 200
    assert http.post("/login", {"login": "ada", "password": NEW}).status_code == 200


def test_the_letter_is_sent_again_for_its_owner(http: Http) -> None:
    http.scenario.settle()
    asked = http.post(f"/users/{ADA}/email/verification", headers={"Aorist-Actor": str(ADA)})
    assert asked.status_code == 202
    assert asked.headers["Location"] == f"/api/v1/users/{ADA}"
    http.scenario.settle()
    assert len(letters(http.scenario)) == 2
