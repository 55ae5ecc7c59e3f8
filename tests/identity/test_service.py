"""Services: they act by tokens, within their scopes, until these run out or are revoked."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr, ValidationError

from commands import Caller
from commands.identity.service import IssueServiceToken, RevokeServiceToken
from domain.identity.service import (
    ServiceToken,
    ServiceTokenExists,
    ServiceTokenIssued,
    ServiceTokenNotFound,
    ServiceTokenRevoked,
)
from infra.machines import MAX_GOOD
from infra.tokens import BadToken
from infra.wiring import open_system
from projections.identity.service import service_token
from tests.api.http import OPERATOR, Http, new_id, problem
from tests.scenario import Scenario

ONE = UUID("5e000000-0000-4000-8000-000000000001")
ASKED = {"name": "warehouse", "scopes": ["receive_stock"], "days": 30}


def issue(**fields: Any) -> IssueServiceToken:
    asked: dict[str, Any] = {"token_id": ONE, "hash": SecretStr("ab"), **ASKED}
    return IssueServiceToken(**(asked | fields))


def test_a_token_is_issued_once_and_revoked_once(identity: Scenario) -> None:
    (issued,) = identity.when(issue()).new_facts()
    assert isinstance(issued, ServiceTokenIssued)
    assert (issued.name, issued.scopes) == ("warehouse", ("receive_stock",))
    identity.when(issue()).refused(ServiceTokenExists)
    revoke = RevokeServiceToken(token_id=ONE, reason="replaced")
    identity.when(revoke).then(ServiceTokenRevoked(reason="replaced"))
    identity.when(revoke).then()
    row = identity.rows(service_token(ONE))[0]
    assert (row["reason"], row["scopes"]) == ("replaced", ["receive_stock"])
    assert "hash" not in row
    identity.when(RevokeServiceToken(token_id=uuid4(), reason="x")).refused(ServiceTokenNotFound)


@pytest.mark.parametrize(
    "fields",
    [{"name": "Ware House"}, {"scopes": []}, {"scopes": ["*"]}, {"days": 0}, {"days": 367}],
)
def test_what_is_no_token(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        issue(**fields)


@pytest.fixture
def shop(api: Http) -> str:
    """A product that stock can be received of; returns its id."""
    example = api.get("//openapi.json").json()["paths"]["/api/v1/products"]["post"]
    body = example["requestBody"]["content"]["application/json"]["example"]
    made = api.post("/products", body)
    assert made.status_code == 201, made.text
    api.scenario.settle()
    del api.client.headers["Aorist-Actor"]
    return str(made.json()["id"])


def issued(api: Http, **fields: Any) -> dict[str, str]:
    answer = api.post("/service-tokens", ASKED | fields, headers=OPERATOR)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    found: dict[str, str] = answer.json()
    return found


def bearer(token: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['token']}"}


def receive(api: Http, product: str, by: dict[str, str]) -> Any:
    return api.post(f"/products/{product}/stock/receive", {"quantity": 5}, headers=by)


def test_a_service_does_what_its_token_is_for_and_nothing_else(api: Http, shop: str) -> None:
    token = issued(api)
    assert receive(api, shop, bearer(token)).status_code == 200
    received = [at for _, at in api.scenario.facts() if at.context == "commerce"][-1]
    assert received.actor == "service:warehouse"
    store = api.scenario.system.logs["commerce"].store
    receipts = [one for _, one in api.scenario.run(store.receipts(limit=100))]
    assert [one.roles for one in receipts if one.actor == received.actor] == ["service"]
    adjusted = api.post(
        f"/products/{shop}/stock/adjust", {"change": 1, "reason": "x"}, headers=bearer(token)
    )
    found = problem(adjusted, 403, "out_of_scope")
    assert "receive_stock" in found["detail"]
    for path in ("/timeline", "/users", "/stock"):
        problem(api.get(path, headers=bearer(token)), 403, "out_of_scope")


def test_an_operator_sees_tokens_and_nobody_sees_their_secrets(api: Http, shop: str) -> None:
    token = issued(api)
    api.scenario.settle()
    listed = api.get("/service-tokens", headers=OPERATOR)
    (row,) = listed.json()["items"]
    assert (row["id"], row["name"]) == (token["id"], "warehouse")
    assert row["issued_by"] == OPERATOR["Aorist-Actor"]
    facts = api.get("/events?context=identity", headers=OPERATOR).text
    state = api.scenario.state(ServiceToken, UUID(token["id"]))
    for text in (listed.text, facts):
        assert state.hash not in text
        assert token["token"].rpartition(".")[2] not in text


def test_a_revoked_token_is_dead_at_once_and_so_is_one_that_ran_out(api: Http, shop: str) -> None:
    revoked, other = issued(api), issued(api, name="robot")
    path = f"/service-tokens/{revoked['id']}/revoke"
    assert api.post(path, {"reason": "leaked"}, headers=OPERATOR).status_code == 200
    problem(receive(api, shop, bearer(revoked)), 401, "bad_token")
    assert receive(api, shop, bearer(other)).status_code == 200
    api.scenario.clock.moved += timedelta(days=30)
    problem(receive(api, shop, bearer(other)), 401, "bad_token")


@pytest.mark.parametrize("known", ["from the read models", "from the log"])
def test_another_process_knows_which_are_good(api: Http, known: str) -> None:
    good, bad = issued(api), issued(api)
    api.post(f"/service-tokens/{bad['id']}/revoke", {"reason": "x"}, headers=OPERATOR)
    if known == "from the read models":
        api.scenario.settle()
    other = api.scenario.run(open_system(api.scenario.system.settings))
    assert other.logins
    assert api.scenario.run(other.logins.who(good["token"])).roles == {"service"}
    with pytest.raises(BadToken):
        api.scenario.run(other.logins.who(bad["token"]))
    api.scenario.run(other.close())


def test_a_token_that_another_process_issued_is_good_without_waiting(
    api: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.access.AGAIN_S", 0.0)
    logins = api.scenario.system.logins
    assert logins
    api.scenario.run(logins.access.look())

    async def issued_elsewhere() -> str:
        other = await open_system(api.scenario.system.settings)
        try:
            assert other.logins
            by = Caller(actor="operator:ops")
            return (await other.logins.machines.issue("robot", ("receive_stock",), 1, by)).token
        finally:
            await other.close()

    token = api.scenario.run(issued_elsewhere())
    assert api.scenario.run(logins.who(token)).actor == "service:robot"


def test_what_is_no_token_of_a_service_lets_nobody_in(api: Http, shop: str) -> None:
    token = issued(api)["token"]
    id = token.partition(".")[0]
    for wrong in (id, f"{id}.guessed", f"aorist_{uuid4().hex}.x", "aorist_x.y", "aorist_"):
        problem(receive(api, shop, {"Authorization": f"Bearer {wrong}"}), 401, "bad_token")


def test_a_scope_is_an_operation_that_services_may_call(api: Http) -> None:
    for scope in ("grant_role", "timeline", "no_such"):
        refused = api.post("/service-tokens", ASKED | {"scopes": [scope]}, headers=OPERATOR)
        found = problem(refused, 422, "unknown_scope")
        assert "receive_stock" in found["detail"], "it says which there are"


def test_there_are_not_more_tokens_than_memory_is_for(api: Http) -> None:
    logins = api.scenario.system.logins
    assert logins
    issued(api)
    logins.access.services |= {UUID(new_id()) for _ in range(MAX_GOOD)}
    refused = api.post("/service-tokens", ASKED, headers=OPERATOR)
    problem(refused, 409, "too_many_tokens")


def test_the_trail_says_who_let_a_service_in_and_what_it_did(api: Http, shop: str) -> None:
    receive(api, shop, bearer(issued(api)))
    by_service = {"actor": "service:warehouse"}
    (done,) = api.get("/audit", params=by_service, headers=OPERATOR).json()["items"]
    assert (done["command"], done["result"]) == ("commerce.ReceiveStock", "accepted")
    found = api.get("/audit", params={"context": "identity"}, headers=OPERATOR).json()["items"]
    issuing = [one for one in found if one["command"] == "identity.IssueServiceToken"]
    assert [one["actor"] for one in issuing] == [OPERATOR["Aorist-Actor"]]
