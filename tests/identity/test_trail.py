"""Logins, failures and roles in the audit trail."""

from typing import Any

import pytest

from tests.api.http import OPERATOR, Http
from tests.identity.people import ADA, PASSWORD, register

AGENT = {"User-Agent": "canoe/1"}


@pytest.fixture
def ada(api: Http) -> Http:
    api.scenario.send(register(password=PASSWORD))
    return api


def trail(api: Http) -> list[dict[str, Any]]:
    found = api.get("/audit", params={"context": "identity"}, headers=OPERATOR)
    items: list[dict[str, Any]] = found.json()["items"]
    return [one for one in items if one["command"] != "identity.ReadTrail"]


def test_logins_and_failures_say_for_whom_from_where_and_with_which_result(ada: Http) -> None:
    for password in (PASSWORD, "wrong horse"):
        ada.post("/login", {"login": "ada", "password": password}, headers=AGENT)
    ada.post("/login", {"login": "eve", "password": PASSWORD}, headers=AGENT)
    right, wrong, unknown = trail(ada)[1:]
    for entry in (right, wrong, unknown):
        assert (entry["command"], entry["actor"]) == ("identity.LogIn", "stranger")
        assert (entry["address"], entry["agent"]) == ("127.0.0.1", "canoe/1")
    results = [one["result"] for one in (right, wrong, unknown)]
    assert results == ["accepted", "wrong_credentials", "wrong_credentials"]
    whose = [one["reason"] for one in (right, wrong, unknown)]
    assert whose == [f"login of {ADA}", f"login of {ADA}", None]
    assert right["facts"] == 2


def test_a_login_used_twice_and_a_logout_are_in_the_trail(ada: Http) -> None:
    login = ada.post("/login", {"login": "ada", "password": PASSWORD}).json()
    for _ in range(2):
        ada.post("/login/refresh", {"refresh_token": login["refresh_token"]})
    other = ada.post("/login", {"login": "ada", "password": PASSWORD}).json()
    ada.post("/logout", headers={"Authorization": f"Bearer {other['access_token']}"})
    entries = [(one["command"], one["actor"]) for one in trail(ada)[1:]]
    assert entries == [
        ("identity.LogIn", "stranger"),
        ("identity.RefreshSession", str(ADA)),
        ("identity.RefreshSession", str(ADA)),
        ("identity.LogIn", "stranger"),
        ("identity.EndSession", str(ADA)),
    ]


def test_who_changed_a_role_and_why_is_in_the_trail(ada: Http) -> None:
    because = {**OPERATOR, "Aorist-Reason": "new at the counter"}
    path = f"/users/{ADA}/roles"
    ada.post(f"{path}/grant", {"role": "teller"}, headers=because)
    ada.post(f"{path}/revoke", {"role": "teller"}, headers=OPERATOR)
    granted, revoked = trail(ada)[1:]
    assert (granted["command"], granted["resource"]) == ("identity.GrantRole", str(ADA))
    assert (granted["actor"], granted["reason"]) == ("job:inspection", "new at the counter")
    assert revoked["command"] == "identity.RevokeRole"


def test_the_trail_says_which_roles_somebody_had_then(ada: Http) -> None:
    by_ada = {"Aorist-Actor": str(ADA)}
    for role in ("teller", "auditor"):
        ada.post(f"/users/{ADA}/email/verification", headers=by_ada)
        ada.post(f"/users/{ADA}/roles/grant", {"role": role}, headers=OPERATOR)
    ada.post(f"/users/{ADA}/email/verification", headers=by_ada)
    ada.post(f"/users/{ADA}/roles/revoke", {"role": "teller"}, headers=OPERATOR)
    ada.post(f"/users/{ADA}/email/verification", headers=by_ada)
    entries = trail(ada)
    found = [one["roles"] for one in entries if one["actor"] == str(ADA)]
    assert found == [[], ["teller"], ["auditor", "teller"], ["auditor"]]
    found = [one["roles"] for one in entries if one["actor"] == OPERATOR["Aorist-Actor"]]
    assert found == [["operator"]] * 3


def kept(api: Http, actor: object) -> list[str | None]:
    """Return the roles in the receipts themselves of what an actor sent."""
    found = api.scenario.run(api.scenario.system.logs["identity"].store.receipts(limit=1_000))
    return [stored.roles for _, stored in found if stored.actor == str(actor)]


def said(api: Http, actor: object) -> list[list[str] | None]:
    return [one["roles"] for one in trail(api) if one["actor"] == str(actor)]


def test_roles_that_are_revoked_later_stay_with_what_was_sent_with_them(ada: Http) -> None:
    for role in ("teller", "auditor"):
        ada.post(f"/users/{ADA}/roles/grant", {"role": role}, headers=OPERATOR)
    login = ada.post("/login", {"login": "ada", "password": PASSWORD}).json()
    by_ada = {"Authorization": f"Bearer {login['access_token']}"}
    ada.post(f"/users/{ADA}/email/verification", headers=by_ada)
    for role in ("teller", "auditor"):
        ada.post(f"/users/{ADA}/roles/revoke", {"role": role}, headers=OPERATOR)
    ada.post(f"/users/{ADA}/email/verification", headers=by_ada)
    assert kept(ada, ADA) == ["auditor,teller", None]
    assert said(ada, ADA) == [["auditor", "teller"], []]


def test_roles_that_a_header_names_in_development_are_those_it_says(ada: Http) -> None:
    ada.post(f"/users/{ADA}/roles/grant", {"role": "teller"}, headers=OPERATOR)
    for roles in ({}, {"Aorist-Roles": "risk officer, operator"}):
        by_ada = {"Aorist-Actor": str(ADA)} | roles
        ada.post(f"/users/{ADA}/email/verification", headers=by_ada)
    assert kept(ada, ADA) == [None, "operator,risk officer"]
    assert said(ada, ADA) == [["teller"], ["operator", "risk officer"]], "none named: by the facts"


def test_a_stranger_has_none(ada: Http) -> None:
    ada.post("/login", {"login": "ada", "password": PASSWORD})
    assert (kept(ada, "stranger"), said(ada, "stranger")) == ([None], [None])
