"""What is refused at the door is in the audit trail, as much of it as there is room for."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from api.ports import STRANGER
from commands import Caller
from infra.refusals import MAX_IN_ALL, MAX_OF_ONE, WINDOW_S, Refused
from infra.throttle import Throttle
from tests.api.http import ALICE, BOB, OPERATOR, Http, problem
from tests.identity.people import PASSWORD, register

CUSTOMER = {"Aorist-Actor": str(BOB), "Aorist-Roles": "customer"}
AGENT = {"User-Agent": "canoe/1", "Aorist-Reason": "curious"}


def refusals(api: Http, **filters: Any) -> list[dict[str, Any]]:
    asked = {"context": "identity", "limit": 1_000} | filters
    found = api.get("/audit", params=asked, headers=OPERATOR).json()["items"]
    return [one for one in found if one["command"].startswith("http.")]


def test_who_may_not_is_in_the_trail_with_what_and_from_where(api: Http) -> None:
    correlation = {"X-Correlation-ID": "00000000-0000-4000-8000-00000000c0de"}
    path = f"/users/{ALICE}/suspend"
    refused = api.post(path, {"reason": "x"}, headers=CUSTOMER | AGENT | correlation)
    problem(refused, 403, "not_allowed")
    (entry,) = refusals(api)
    assert (entry["command"], entry["result"]) == ("http.suspend_user", "not_allowed")
    assert (entry["actor"], entry["reason"]) == (str(BOB), "curious")
    assert (entry["address"], entry["agent"]) == ("127.0.0.1", "canoe/1")
    assert entry["roles"] == ["customer"]
    assert entry["correlation_id"] == correlation["X-Correlation-ID"]
    assert (entry["facts"], entry["resource"]) == (0, None)


def test_each_kind_of_refusal_is(api: Http) -> None:
    for path, headers in (
        ("/events?context=banking", CUSTOMER),
        ("/events?context=banking", {}),
        (f"/users/{ALICE}", CUSTOMER),
        ("/timeline", {"Authorization": "Bearer no.token.at-all"}),
    ):
        assert api.get(path, headers=headers).status_code in (401, 403, 404)
    found = refusals(api)
    assert [(entry["command"], entry["result"]) for entry in found] == [
        ("http.events", "not_allowed"),
        ("http.events", "not_an_inspector"),
        ("http.user", "not_found"),
        ("http.timeline", "bad_token"),
    ]
    assert "no.token" not in str(found)


def test_tries_too_many_to_log_in_are(api: Http) -> None:
    logins = api.scenario.system.logins
    assert logins
    api.scenario.send(register(password=PASSWORD))
    logins.throttle = Throttle(1)
    del api.client.headers["Aorist-Actor"]
    for _ in range(2):
        api.post("/login", {"login": "ada", "password": "wrong horse"})
    (entry,) = refusals(api)
    assert (entry["command"], entry["result"]) == ("http.log_in", "too_many_tries")
    assert entry["actor"] == "stranger"


def test_a_command_that_its_rules_refuse_is_there_once(api: Http) -> None:
    api.post(f"/users/{BOB}/suspend", {"reason": "x"}, headers=OPERATOR)
    assert refusals(api) == []
    items = api.get("/audit", params={"context": "identity"}, headers=OPERATOR).json()["items"]
    assert [one["result"] for one in items if one["command"] == "identity.SuspendUser"] == [
        "user_not_found"
    ]


def test_of_one_caller_so_many_are_kept_and_the_rest_is_counted(api: Http) -> None:
    for _ in range(MAX_OF_ONE + 3):
        api.get("/events?context=banking", headers=CUSTOMER)
    assert len(refusals(api)) == MAX_OF_ONE
    api.get("/events?context=banking", headers=CUSTOMER | {"Aorist-Actor": str(ALICE)})
    assert "(and 3 more that are not kept)" in refusals(api)[-1]["detail"]


def test_strangers_take_no_room_from_users_and_there_is_room_again(api: Http) -> None:
    logins = api.scenario.system.logins
    assert logins
    refused = Refused("events", "bad_token", "no", UUID(int=1))

    def keep(number: int, known: bool) -> Any:
        caller = Caller(actor=f"u{number}" if known else STRANGER, address=f"192.0.2.{number}")
        return logins.refusals.keep(refused, caller, known=known)

    async def kept() -> list[bool]:
        strangers = await asyncio.gather(*(keep(n, False) for n in range(MAX_IN_ALL + 1)))
        return [*strangers[-2:], await keep(1, True)]

    assert api.scenario.run(kept()) == [True, False, True]
    api.scenario.clock.moved += timedelta(seconds=WINDOW_S)
    assert api.scenario.run(kept()) == [True, False, True]
    assert len(refusals(api)) == 2 * (MAX_IN_ALL + 1)
