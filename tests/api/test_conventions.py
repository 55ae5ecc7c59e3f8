"""The HTTP conventions, row by row."""

from uuid import UUID

import pytest

from tests.api.http import ALICE, BOB, OPERATOR, Http, new_id, problem

PROFILE = {"name": "Alice", "bio": "Gardener"}
ME = f"/profiles/{ALICE}"


def with_post(api: Http, **content: object) -> str:
    """Alice joins and writes a post; returns its path."""
    api.post("/profiles", PROFILE)
    written = api.post("/posts", {"text": "Hello", "publish": True, **content})
    assert written.status_code == 201, written.text
    return written.headers["Location"].removeprefix("/api/v1")


def settled(api: Http) -> Http:
    api.scenario.settle()
    return api


# ── writes and receipts ──────────────────────────────────────────────────────────────────────


def test_a_creation_is_201_with_its_receipt_and_place(api: Http) -> None:
    made = api.post("/profiles", PROFILE)
    assert made.status_code == 201
    assert made.json() == {
        "id": str(ALICE),
        "version": 1,
        "position": {"context": "social", "value": 1},
    }
    assert made.headers["Aorist-Position"] == "social=1"
    assert made.headers["ETag"] == '"1"'
    assert made.headers["Location"] == f"/api/v1/profiles/{ALICE}"
    assert settled(api).get(ME).json()["name"] == "Alice"


def test_a_change_is_200_and_has_no_place(api: Http) -> None:
    post = with_post(api)
    edited = api.post(f"{post}/edit", {"text": "Hello again"})
    assert (edited.status_code, edited.json()["version"]) == (200, 3)
    assert "Location" not in edited.headers


def test_a_process_that_goes_on_is_202_with_the_place_that_shows_it(api: Http) -> None:
    account = {"holder_id": str(ALICE), "kind": "checking", "currency": "EUR"}
    source, target = (api.post("/accounts", account).json()["id"] for _ in range(2))
    deposit = {"deposit_id": new_id(), "amount": 5_000, "currency": "EUR"}
    assert api.post(f"/accounts/{source}/deposits", deposit).status_code == 200
    body = {"source": source, "target": target, "amount": 1_250, "currency": "EUR"}
    asked = api.post("/transfers", body | {"transfer_id": new_id()})
    assert asked.status_code == 202, asked.text
    place = asked.headers["Location"].removeprefix("/api/v1")
    shown = settled(api).get(place).json()
    assert shown["status"] == "completed"
    assert shown["amount"] == {"amount": 1_250, "currency": "EUR"}
    assert settled(api).get(f"/accounts/{source}").json()["balance"] == {
        "amount": 3_750,
        "currency": "EUR",
    }


def test_a_client_may_choose_the_id(api: Http) -> None:
    api.post("/profiles", PROFILE)
    id = new_id()
    assert api.post("/posts", {"post_id": id, "text": "x"}).json()["id"] == id
    made = api.post("/posts", {"text": "x"}).json()["id"]
    assert UUID(made).version == 7


# ── idempotency ──────────────────────────────────────────────────────────────────────────────


def test_the_same_key_and_body_are_answered_alike(api: Http) -> None:
    api.post("/profiles", PROFILE)
    key = {"Idempotency-Key": "k1"}
    first = api.post("/posts", {"text": "x"}, headers=key)
    again = api.post("/posts", {"text": "x"}, headers=key)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    for header in ("Location", "ETag", "Aorist-Position"):
        assert again.headers[header] == first.headers[header]
    quoted = api.post("/posts", {"text": "x"}, headers={"Idempotency-Key": '"k1"'})
    assert quoted.json() == first.json(), "the draft writes keys in quotation marks"


def test_the_same_key_with_another_body_is_422(api: Http) -> None:
    api.post("/profiles", PROFILE, headers={"Idempotency-Key": "k"})
    other = api.post("/profiles", {"name": "Alicia"}, headers={"Idempotency-Key": "k"})
    assert "'k'" in problem(other, 422, "key_reused")["detail"]


def test_keys_are_the_callers_and_the_routes_own(api: Http) -> None:
    key = {"Idempotency-Key": "k"}
    api.post("/profiles", PROFILE, headers=key)
    as_bob = {"Aorist-Actor": str(BOB), **key}
    assert api.post("/profiles", PROFILE, headers=as_bob).json()["id"] == str(BOB)
    assert api.post("/posts", {"text": "x"}, headers=key).status_code == 201


def test_a_refusal_is_stored_and_replayed(api: Http) -> None:
    key = {"Idempotency-Key": "k"}
    first = api.post("/posts", {"text": "x"}, headers=key)
    problem(first, 409, "profile_required")
    api.post("/profiles", PROFILE)
    again = api.post("/posts", {"text": "x"}, headers=key)
    same = problem(again, 409, "profile_required")
    assert same["detail"] == first.json()["detail"]
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_in_flight_is_409(api: Http) -> None:
    slot = (str(ALICE), "social.CreateProfile", "k")
    api.scenario.system.dispatcher._in_flight.add(slot)
    problem(api.post("/profiles", PROFILE, headers={"Idempotency-Key": "k"}), 409, "in_flight")
    api.scenario.system.dispatcher._in_flight.clear()
    assert api.post("/profiles", PROFILE, headers={"Idempotency-Key": "k"}).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "k" * 256, "a\tb"])
def test_a_key_must_be_one(api: Http, key: str) -> None:
    refused = api.post("/profiles", PROFILE, headers={"Idempotency-Key": key})
    assert refused.status_code == 422
    assert "Idempotency-Key" in refused.json()["detail"]


# ── read your writes ─────────────────────────────────────────────────────────────────────────


def test_a_query_waits_for_the_position_it_names(api: Http) -> None:
    made = api.post("/profiles", PROFILE)
    api.scenario.system.queries._wait_s = 0.05
    settled(api)  # readers are at 1
    after = {"Aorist-After": made.headers["Aorist-Position"]}
    assert api.get(ME, headers=after).status_code == 200
    later = problem(api.get(ME, headers={"Aorist-After": "social=3"}), 503, "behind")
    assert "social.profile is at position 1, 2 facts behind 3" in later["detail"]
    both = {"Aorist-After": "banking=999, social=1"}
    assert api.get(ME, headers=both).status_code == 200, "it reads nothing of banking"


@pytest.mark.parametrize("after", ["social", "social=", "social=x", "=1", "social=-1", "nope=1"])
def test_a_position_must_be_one(api: Http, after: str) -> None:
    said = problem(api.get(ME, headers={"Aorist-After": after}), 422, "bad_header")
    assert "Aorist-After" in said["detail"]


# ── concurrency ──────────────────────────────────────────────────────────────────────────────


def test_the_etag_of_a_query_is_the_if_match_of_a_write(api: Http) -> None:
    post = with_post(api)
    tag = settled(api).get(post).headers["ETag"]
    assert tag == '"2"'
    edited = api.post(f"{post}/edit", {"text": "one"}, headers={"If-Match": tag})
    assert edited.headers["ETag"] == '"3"'
    late = api.post(f"{post}/edit", {"text": "two"}, headers={"If-Match": tag})
    assert "at version 3, not at 2" in problem(late, 412, "version_moved")["detail"]
    for any_of in ('W/"3"', "*"):
        edited = api.post(f"{post}/edit", {"text": any_of}, headers={"If-Match": any_of})
        assert edited.status_code == 200


@pytest.mark.parametrize("tag", ['"x"', "", '"1", "2"', '"-1"', '"' + "9" * 40 + '"'])
def test_an_if_match_must_be_an_etag(api: Http, tag: str) -> None:
    refused = api.post("/profiles", PROFILE, headers={"If-Match": tag})
    assert "If-Match" in problem(refused, 422, "bad_header")["detail"]


# ── lists ────────────────────────────────────────────────────────────────────────────────────


def test_a_list_has_pages_that_are_stable_under_inserts(api: Http) -> None:
    api.post("/profiles", PROFILE)
    ids = [api.post("/posts", {"text": str(n), "publish": True}).json()["id"] for n in range(5)]
    path = f"/profiles/{ALICE}/posts"
    page = settled(api).get(path, params={"limit": 2}).json()
    seen = [item["id"] for item in page["items"]]
    api.post("/posts", {"text": "newer", "publish": True})
    settled(api)
    while page["next"]:
        page = api.get(path, params={"limit": 2, "cursor": page["next"]}).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
    assert seen == ids[::-1], "newest first, none twice, none left out"


def test_the_last_page_has_no_next_even_when_it_is_full(api: Http) -> None:
    api.post("/profiles", PROFILE)
    for number in range(2):
        api.post("/posts", {"text": str(number), "publish": True})
    page = settled(api).get(f"/profiles/{ALICE}/posts", params={"limit": 2}).json()
    assert (len(page["items"]), page["next"]) == (2, None)


def test_the_server_bounds_a_page(api: Http) -> None:
    refused = api.get(f"/profiles/{ALICE}/posts", params={"limit": 1001})
    assert problem(refused, 422, "invalid")["errors"][0]["field"] == "query.limit"
    problem(api.get(f"/profiles/{ALICE}/posts", params={"limit": 0}), 422, "invalid")


CURSORS = {
    "nothing of ours": "nope",
    "no base64": "%%%",
    "another list's": "WyJ4Il0",  # ["x"]
    "too many columns": "WzEsMl0",  # [1,2]
    "a number no store holds": "WzExODA1OTE2MjA3MTc0MTEzMDM0MjRd",  # [2**70]
    "deep": "W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb" * 8,
    "not ASCII": "é🙂",
}


@pytest.mark.parametrize("cursor", CURSORS.values(), ids=CURSORS)
def test_a_cursor_must_be_of_its_list(api: Http, cursor: str) -> None:
    refused = api.get(f"/profiles/{ALICE}/posts", params={"cursor": cursor})
    problem(refused, 422, "bad_cursor")


# ── correlation ──────────────────────────────────────────────────────────────────────────────


def test_a_correlation_id_is_made_or_taken_and_kept_with_the_fact(api: Http) -> None:
    made = api.post("/profiles", PROFILE)
    assert UUID(made.headers["X-Correlation-ID"]).version == 7
    given = new_id()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"X-Correlation-ID": given, "traceparent": trace}
    answer = api.post("/posts", {"text": "x"}, headers=headers)
    assert answer.headers["X-Correlation-ID"] == given
    items = api.get("/events?context=social", headers=OPERATOR).json()["items"]
    assert items[0]["correlation_id"] == made.headers["X-Correlation-ID"]
    assert items[1]["correlation_id"] == given
    assert [item["traceparent"] for item in items] == [None, trace]


def test_a_text_as_correlation_id_comes_back_and_finds_what_was_done(api: Http) -> None:
    mine = {"X-Correlation-ID": "request 7/a"}
    made = api.post("/profiles", PROFILE, headers=mine)
    assert made.headers["X-Correlation-ID"] == "request 7/a"
    again = api.post("/posts", {"text": "x"}, headers=mine)
    refused = api.post("/posts", {"colour": "red"}, headers=mine)
    assert again.headers["X-Correlation-ID"] == refused.headers["X-Correlation-ID"] == "request 7/a"
    found = api.get("/audit", params={"correlation_id": "request 7/a"}, headers=OPERATOR).json()
    assert [item["command"] for item in found["items"]] == [
        "social.CreateProfile",
        "social.CreatePost",
    ]
    assert {item["correlation_id"] for item in found["items"]} == {refused.json()["correlation_id"]}


@pytest.mark.parametrize(
    "trace",
    ["x", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff-" + "1" * 32 + "-" + "1" * 16 + "-01"],
)
def test_a_malformed_traceparent_is_ignored(api: Http, trace: str) -> None:
    assert api.post("/profiles", PROFILE, headers={"traceparent": trace}).status_code == 201
    (item,) = api.get("/events?context=social", headers=OPERATOR).json()["items"]
    assert item["traceparent"] is None
