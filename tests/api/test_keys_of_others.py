"""An idempotency key is its caller's: to others it says nothing, not even that it was used."""

import pytest

from tests.api.http import ALICE, BOB, Http, problem

KEY = {"Idempotency-Key": "k"}
AS_BOB = {"Aorist-Actor": str(BOB), **KEY}
OTHERS = {
    "somebody else": AS_BOB,
    "an operator": {**AS_BOB, "Aorist-Roles": "operator, auditor"},
    "a service": {**AS_BOB, "Aorist-Actor": "job:import"},
    "a name that looks alike": {**AS_BOB, "Aorist-Actor": f"{ALICE} "[:-2] + "2"},
}


@pytest.mark.parametrize("text", ["x", "another text"])
@pytest.mark.parametrize("who", OTHERS)
def test_others_get_the_same_with_the_key_as_without_it(api: Http, who: str, text: str) -> None:
    api.post("/profiles", {"name": "Alice", "bio": "private"}, headers=KEY)
    api.post("/posts", {"text": "x"}, headers=KEY)
    with_key = OTHERS[who]
    without = {name: value for name, value in with_key.items() if name != "Idempotency-Key"}
    for path, body in (("/posts", {"text": text}), (f"/profiles/{ALICE}/follow", {})):
        one = api.post(path, body, headers=without)
        other = api.post(path, body, headers={**with_key, "Idempotency-Key": "k"})
        assert (one.status_code, one.json()["code"]) == (other.status_code, other.json()["code"])
        assert one.json()["detail"] == other.json()["detail"]
        assert "Idempotent-Replayed" not in other.headers
        assert "private" not in other.text


def test_a_key_in_flight_is_in_flight_for_its_caller_alone(api: Http) -> None:
    flying = api.scenario.system.dispatcher._in_flight
    flying.add((str(ALICE), "social.CreateProfile", "k"))
    problem(api.post("/profiles", {"name": "Alice"}, headers=KEY), 409, "in_flight")
    assert api.post("/profiles", {"name": "Bob"}, headers=AS_BOB).status_code == 201
    flying.clear()


def test_both_have_their_own_answer_under_one_key(api: Http) -> None:
    for _ in range(2):
        mine = api.post("/profiles", {"name": "Alice"}, headers=KEY)
        other = api.post("/profiles", {"name": "Bob"}, headers=AS_BOB)
        assert (mine.json()["id"], other.json()["id"]) == (str(ALICE), str(BOB))
    assert mine.headers["Idempotent-Replayed"] == other.headers["Idempotent-Replayed"] == "true"
