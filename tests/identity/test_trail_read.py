"""Who reads facts or the audit trail is in the trail, and what was asked for."""

from datetime import timedelta
from typing import Any

from infra.reads import AGAIN_S
from tests.api.http import OPERATOR, Http, problem
from tests.identity.people import ADA, register

AUDITOR = {"Aorist-Actor": "audit:jo", "Aorist-Roles": "auditor", "Aorist-Reason": "case 7"}


def reads(api: Http) -> list[dict[str, Any]]:
    params = {"context": "identity", "limit": 1_000}
    found = api.get("/audit", params=params, headers=OPERATOR).json()["items"]
    named = ("identity.ReadTrail", "identity.ReadFacts")
    return [
        one for one in found if one["command"] in named and one["actor"] == AUDITOR["Aorist-Actor"]
    ]


def test_who_read_the_trail_is_in_it_with_the_query_and_the_reason(api: Http) -> None:
    params = {"actor": str(ADA), "context": "banking", "limit": 5}
    answer = api.get("/audit", params=params, headers=AUDITOR | {"User-Agent": "canoe/1"})
    (entry,) = reads(api)
    assert (entry["command"], entry["result"]) == ("identity.ReadTrail", "done")
    assert entry["detail"] == f"audit actor={ADA} context=banking"
    assert entry["roles"] == ["auditor"]
    assert (entry["reason"], entry["address"], entry["agent"]) == (
        *("case 7", "127.0.0.1", "canoe/1"),
    )
    assert entry["correlation_id"] == answer.headers["X-Correlation-ID"]


def test_so_is_who_read_facts_and_states(api: Http) -> None:
    api.scenario.send(register())
    for path in (
        "/events?context=identity",
        f"/aggregates/identity.user/{ADA}",
        f"/aggregates/identity.user/{ADA}/history?limit=1",
    ):
        assert api.get(path, headers=AUDITOR).status_code == 200
    assert [(one["command"], one["detail"]) for one in reads(api)] == [
        ("identity.ReadFacts", "events context=identity"),
        ("identity.ReadFacts", f"aggregate id={ADA} kind=identity.user"),
        ("identity.ReadFacts", f"aggregate_history id={ADA} kind=identity.user"),
    ]


def test_pages_of_one_query_are_one_entry_and_the_same_query_later_another(api: Http) -> None:
    for after in (0, 1, 2):
        api.get(f"/events?context=identity&after={after}", headers=AUDITOR)
    assert len(reads(api)) == 1
    api.scenario.clock.moved += timedelta(seconds=AGAIN_S)
    api.get("/events?context=identity", headers=AUDITOR)
    assert len(reads(api)) == 2


def test_who_may_not_read_has_read_nothing(api: Http) -> None:
    customer = AUDITOR | {"Aorist-Roles": "customer"}
    problem(api.get("/audit", headers=customer), 403, "not_allowed")
    assert reads(api) == []
