"""`as_of` over HTTP: what a read model showed at a time, or at a position of its log."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.http import ALICE, Http, new_id

TAKING = {
    *("/accounts/{account_id}", "/holders/{holder_id}/accounts"),
    *("/accounts/{account_id}/statement", "/accounts/{account_id}/statement/totals"),
    *("/accounts/{account_id}/balance", "/orders/{order_id}", "/orders/{order_id}/shipments"),
    *("/customers/{customer_id}/orders", "/payments/{payment_id}", "/shipments/{shipment_id}"),
    *("/products/{product_id}/stock", "/stock", "/profiles/{member_id}"),
    *("/profiles/{member_id}/followers", "/profiles/{member_id}/following"),
}


@pytest.fixture
def account(api: Http) -> str:
    """The path of an account that was opened and had two deposits, at positions 1 to 3 and more."""
    opened = {"holder_id": str(ALICE), "kind": "checking", "currency": "EUR"}
    path = f"/accounts/{api.post('/accounts', opened).json()['id']}"
    for amount in (100, 50):
        deposit = {"deposit_id": new_id(), "amount": amount, "currency": "EUR"}
        assert api.post(f"{path}/deposits", deposit).status_code == 200
    api.scenario.settle()
    return path


def places(api: Http, path: str) -> list[tuple[int, str]]:
    """Return positions and times of an account's facts."""
    id = path.rpartition("/")[2]
    found = [at for _, at in api.scenario.facts() if str(at.stream) == id]
    return [(at.position, at.time.isoformat().replace("+00:00", "Z")) for at in found]


def test_an_account_is_shown_as_of_a_position_or_a_time(api: Http, account: str) -> None:
    facts = places(api, account)
    for (position, time), balance, version in zip(facts, (0, 100, 150), (1, 2, 3), strict=True):
        for as_of in (position, time):
            then = api.get(account, params={"as_of": as_of})
            assert then.status_code == 200, then.text
            assert then.json()["balance"] == {"amount": balance, "currency": "EUR"}
            assert then.headers["ETag"] == f'"{version}"'
    assert api.get(account, params={"as_of": facts[-1][0]}).json() == api.get(account).json()
    early = api.get(account, params={"as_of": 0})
    assert (early.status_code, early.json()["code"]) == (404, "not_found")
    assert "as of position 0; check the id" in early.json()["detail"]


def test_a_statement_ends_as_of_a_position_page_by_page(api: Http, account: str) -> None:
    (_, (position, _), (last, _)) = places(api, account)
    statement = f"{account}/statement"
    first = api.get(statement, params={"as_of": position, "limit": 1}).json()
    assert [row["kind"] for row in first["items"]] == ["opening"]
    rest = api.get(statement, params={"cursor": first["next"]}).json()
    assert [row["amount"]["amount"] for row in rest["items"]] == [100]
    assert rest["next"] is None
    totals = api.get(f"{statement}/totals", params={"as_of": position}).json()
    assert (totals["credits"]["amount"], totals["closing"]["amount"]) == (100, 100)
    other = api.get(statement, params={"cursor": first["next"], "as_of": last})
    assert (other.status_code, other.json()["code"]) == (422, "bad_cursor")


def test_what_cannot_be_answered_is_a_problem_that_says_why(api: Http, account: str) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    for path, as_of, code in (
        (account, "99999", "not_yet"),
        (account, tomorrow, "not_yet"),
        (account, "yesterday", "bad_as_of"),
        (f"{account}/holds", "1", "no_history"),
        ("/timeline", "1", "no_history"),
    ):
        refused = api.get(path, params={"as_of": as_of})
        assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text


def test_queries_over_tables_with_history_take_it_and_the_others_do_not(api: Http) -> None:
    paths = api.get("//openapi.json").json()["paths"]
    taking = {
        path.removeprefix("/api/v1")
        for path, operations in paths.items()
        if path.startswith("/api/v1/") and "/aggregates/" not in path
        for parameter in operations.get("get", {}).get("parameters", [])
        if parameter["name"] == "as_of"
    }
    assert taking == TAKING
