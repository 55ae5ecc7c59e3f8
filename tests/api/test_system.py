"""Health, metrics, facts, aggregates in time and the audit trail, over HTTP."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from infra.log.port import Unavailable
from tests.api.http import ALICE, BOB, OPERATOR, Http, problem
from tests.test_readers import spoil_of

PROFILE = {"name": "Alice"}


def lived(api: Http) -> Http:
    """Alice has joined, written twice, and been refused once."""
    api.post("/profiles", PROFILE, headers={"Aorist-Reason": "to garden", "User-Agent": "spade/1"})
    for text in ("one", "two"):
        api.post("/posts", {"text": text, "publish": True})
    api.post("/posts", {"text": "three"}, headers={"Aorist-Actor": str(BOB)})
    return api


def away(api: Http) -> None:
    """Let the store of every log and table be away."""

    async def fail(*_: Any, **__: Any) -> None:
        raise Unavailable("connection to 10.1.2.3 refused for user secret")

    for log in api.scenario.system.logs.values():
        for name in ("append", "head", "read", "stream", "receipts", "find"):
            setattr(log.store, name, fail)


# ── health ───────────────────────────────────────────────────────────────────────────────────


def test_a_process_lives_and_is_ready(api: Http) -> None:
    live = api.get("//livez")
    assert (live.status_code, live.text) == (200, "ok\n")
    ready = api.get("//readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"ready": True, "problems": [], "degraded": []},
    )


def test_it_is_not_ready_when_a_reader_is_too_far_behind(api: Http) -> None:
    system = api.scenario.system
    system.settings = system.settings.model_copy(update={"lag_budget": 2})
    lived(api)
    said = api.get("//readyz")
    assert said.status_code == 503
    assert "social.post is 5 facts behind, more than 2" in said.json()["problems"]
    api.scenario.settle()
    assert api.get("//readyz").status_code == 200


def test_it_is_not_ready_when_a_reader_has_stopped(api: Http) -> None:
    lived(api)
    spoil_of(api.scenario, "social", 2, '{"author": "canary"}')
    reader = next(r for r in api.scenario.system.readers if r.name == "social.post")
    api.scenario.run(reader.step())
    with pytest.raises(Exception, match="position 2 ") as error:
        api.scenario.run(reader.step())
    reader._fail(error.value)
    said = api.get("//readyz")
    assert said.status_code == 503
    (sentence,) = said.json()["problems"]
    assert sentence.startswith("social.post: stopped after position 1: CorruptFact: social log, ")
    assert "canary" not in sentence


def test_it_is_not_ready_without_its_tables(api: Http, store: str) -> None:
    table = "social_alembic_version" if store == "sqlite" else "social.alembic_version"
    was = api.scenario.sql(f"SELECT version_num FROM {table}")[0][0]
    api.scenario.sql(f"UPDATE {table} SET version_num = '0000'")
    said = api.get("//readyz")
    assert said.status_code == 503
    assert "social: its tables are not those of this program" in said.text
    api.scenario.sql(f"UPDATE {table} SET version_num = '{was}'")


def test_it_lives_though_the_store_is_away(api: Http) -> None:
    lived(api)
    away(api)
    assert api.get("//livez").status_code == 200
    assert api.get("//readyz").status_code == 503
    assert "http_requests_total" in api.get("//metrics").text
    key = {"Idempotency-Key": "k"}
    for refused in (
        api.post("/posts", {"text": "x"}, headers=key),
        api.get("/events?context=social", headers=OPERATOR),
    ):
        said = problem(refused, 503, "unavailable")
        assert "try again with the same key" in said["detail"]
        assert "secret" not in refused.text
    for name in ("append", "head", "read", "stream", "receipts", "find"):
        delattr(api.scenario.system.logs["social"].store, name)
    done = api.post("/posts", {"text": "x"}, headers=key)
    assert (done.status_code, "Idempotent-Replayed" in done.headers) == (201, False)


def test_too_much_at_once_is_503_and_the_key_is_free_again(api: Http) -> None:
    group = api.scenario.system.logs["social"].group
    was, group._queue = group._queue, 0
    key = {"Idempotency-Key": "k"}
    said = problem(api.post("/profiles", PROFILE, headers=key), 503, "busy")
    assert "later, with the same key" in said["detail"]
    group._queue = was
    assert api.post("/profiles", PROFILE, headers=key).status_code == 201


# ── metrics ──────────────────────────────────────────────────────────────────────────────────


def test_the_metrics_have_their_names_and_labels(api: Http) -> None:
    lived(api)
    api.get(f"/profiles/{BOB}")
    api.get("/nowhere")
    api.send("BREW", "/profiles")
    api.scenario.settle()
    text = api.get("//metrics").text
    one = 'endpoint="/api/v1/profiles/{member_id}",method="GET",status="404"'
    assert f"http_requests_total{{{one}}} 1.0" in text
    assert 'http_requests_total{endpoint="/api/v1/posts",method="POST",status="201"} 2.0' in text
    assert 'http_requests_total{endpoint="/api/v1/posts",method="POST",status="409"} 1.0' in text
    assert 'http_requests_total{endpoint="unknown",method="GET",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert "BREW" not in text
    seconds = 'http_request_duration_seconds_count{endpoint="/api/v1/posts",method="POST"} 3.0'
    assert seconds in text
    assert re.search(r'^database_connections\{state="(active|idle)"\} \d', text, re.MULTILINE)
    assert 'append_batch_size_count{context="social"} 4.0' in text
    assert 'append_duration_seconds_count{context="social"} 4.0' in text
    assert 'reader_lag_facts{context="social",reader="social.post"} 0.0' in text
    assert str(ALICE) not in text


# ── facts and aggregates ─────────────────────────────────────────────────────────────────────


def test_facts_are_for_inspectors_only(api: Http) -> None:
    lived(api)
    for path in (
        "/events?context=social",
        "/events/stream?context=social",
        f"/aggregates/social.profile/{ALICE}",
        f"/aggregates/social.profile/{ALICE}/history",
        "/audit",
    ):
        problem(api.get(path), 403, "not_an_inspector")
        as_auditor = {**OPERATOR, "Aorist-Roles": "customer, auditor"}
        if "stream" not in path:
            assert api.get(path, headers=as_auditor).status_code == 200


def test_facts_come_in_pages_and_by_topic_and_stream(api: Http) -> None:
    lived(api)

    def page(query: str) -> dict[str, Any]:
        found: dict[str, Any] = api.get(f"/events?context=social{query}", headers=OPERATOR).json()
        return found

    def positions(query: str) -> list[int]:
        return [item["position"] for item in page(query)["items"]]

    assert positions("") == [1, 2, 3, 4, 5]
    first = page("&limit=2")
    assert ([item["position"] for item in first["items"]], first["next"]) == ([1, 2], 2)
    assert positions(f"&after={first['next']}&limit=2") == [3, 4]
    assert page("&after=4")["next"] is None
    assert positions("&topic=social.post.published") == [3, 5]
    assert positions("&topic=social.post.") == [2, 3, 4, 5]
    assert positions("&topic=social.post.&limit=1&after=3") == [4]
    stream = page("&after=3&limit=1")["items"][0]["stream"]
    assert positions(f"&stream={stream}") == [4, 5]
    assert positions(f"&stream={stream}&topic=social.post.published") == [5]
    assert positions(f"&stream={stream}&after=4") == [5]
    item = page("&limit=1")["items"][0]
    assert item["data"] == {"name": "Alice", "bio": ""}
    assert (item["actor"], item["topic"]) == (str(ALICE), "social.profile.created")


def test_a_corrupt_fact_is_named_and_not_skipped(api: Http) -> None:
    lived(api)
    spoil_of(api.scenario, "social", 3, "[]")
    assert len(api.get("/events?context=social&limit=2", headers=OPERATOR).json()["items"]) == 2
    said = problem(api.get("/events?context=social", headers=OPERATOR), 500, "corrupt_fact")
    assert "social log, position 3 " in said["detail"]


def test_an_aggregate_is_shown_at_any_point_of_its_life(api: Http) -> None:
    post = lived(api).post("/posts", {"text": "first", "publish": True}).json()["id"]
    api.post(f"/posts/{post}/edit", {"text": "second"})
    path = f"/aggregates/social.post/{post}"

    def shown(query: str = "") -> tuple[int, str]:
        answer = api.get(path + query, headers=OPERATOR)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert answer.headers["ETag"] == f'"{body["version"]}"'
        return body["version"], body["state"]["content"]["text"]

    assert shown() == (3, "second")
    assert [shown(f"?at_version={n}") for n in (1, 2, 3)] == [
        (1, "first"),
        (2, "first"),
        (3, "second"),
    ]
    history = api.get(f"{path}/history", headers=OPERATOR).json()
    times = [item["time"] for item in history["items"]]
    assert [item["version"] for item in history["items"]] == [1, 2, 3]
    assert shown(f"?as_of={times[1]}") == (2, "first")
    assert shown(f"?as_of={times[2]}") == (3, "second")
    at = datetime.fromisoformat(times[0]) - timedelta(microseconds=1)
    before = at.isoformat().replace("+", "%2B")
    problem(api.get(f"{path}?as_of={before}", headers=OPERATOR), 404, "no_such_aggregate")
    page = api.get(f"{path}/history?limit=2", headers=OPERATOR).json()
    assert page["next"] == 2
    rest = api.get(f"{path}/history?limit=2&after=2", headers=OPERATOR).json()
    assert ([item["version"] for item in rest["items"]], rest["next"]) == ([3], None)


# ── audit ────────────────────────────────────────────────────────────────────────────────────


def others(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out that the trail was read."""
    return [item for item in items if item["command"] != "identity.ReadTrail"]


def test_the_audit_trail_says_who_did_what_why_and_with_which_result(api: Http) -> None:
    items = others(lived(api).get("/audit", headers=OPERATOR).json()["items"])
    assert [(item["command"], item["result"]) for item in items] == [
        ("social.CreateProfile", "accepted"),
        ("social.CreatePost", "accepted"),
        ("social.CreatePost", "accepted"),
        ("social.CreatePost", "profile_required"),
    ]
    first, refused = items[0], items[3]
    assert (first["actor"], first["reason"], first["agent"]) == (str(ALICE), "to garden", "spade/1")
    assert (first["address"], first["facts"], first["resource"]) == ("127.0.0.1", 1, str(ALICE))
    assert (refused["actor"], refused["facts"]) == (str(BOB), 0)
    assert "create it first" in refused["detail"]


def test_the_audit_trail_has_filters_and_pages(api: Http) -> None:
    lived(api)
    account = {"holder_id": str(ALICE), "kind": "checking", "currency": "EUR"}
    api.post("/accounts", account)
    everything = api.get("/audit", headers=OPERATOR).json()
    assert everything["next"] is None

    def commands(**query: object) -> list[str]:
        found = api.get("/audit", params=query, headers=OPERATOR)
        return [item["command"].partition(".")[2] for item in others(found.json()["items"])]

    assert commands(context="banking") == ["OpenAccount"]
    assert commands(actor=str(BOB)) == ["CreatePost"]
    assert commands(resource=str(ALICE), context="social")[0] == "CreateProfile"
    since = others(everything["items"])[0]["time"]
    assert commands(since=since) == ["OpenAccount"]
    assert len(commands(until=since)) == 5
    items, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.get("/audit", params=query, headers=OPERATOR).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert others(items) == others(everything["items"]), (
        "across contexts, none twice, none left out"
    )
