"""Every route, called by everybody: who may, who may not, and what those learn who may not.

On SQLite alone: who may call is decided in front of the store, and by states that are the same.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from api.http import every_route
from api.permissions import table
from domain import Event
from tests.api.http import ALICE, BOB, Http, problem
from tests.scenario import Scenario
from tests.source import ROOT
from tests.stores import Stores

DOCUMENT = ROOT / "docs" / "permissions.md"
ROW = re.compile(r"^\| (\w+) \| `(\S+)` \| (.+) \|$", re.MULTILINE)
ROLES = (
    "customer",
    *("merchant", "teller", "risk officer", "moderator", "operator", "auditor", "service"),
)
NO_PERMISSION = {"not_allowed", "not_yours", "not_an_inspector", "unauthenticated"}
PATH_ONLY = {"kind", "id", "context"}
ENDLESS = "/api/v1/events/stream"
BY_TOKEN_ONLY = "/api/v1/logout"
ADDRESS = {
    "recipient": "Alice",
    "street": "Lane 1",
    "postcode": "1",
    "city": "Town",
    "country": "DE",
}


class Route(NamedTuple):
    """A row of the table."""

    method: str
    path: str
    who: frozenset[str]


def routes() -> list[Route]:
    """Return what the document says."""
    rows = ROW.findall(DOCUMENT.read_text())
    return [Route(method, path, frozenset(who.split(", "))) for method, path, who in rows]


class House:
    """A shop, a bank and a network, in which Alice has one of each; Bob has nothing."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.document = http.get("//openapi.json").json()
        self.ids: dict[str, str] = {"user_id": str(ALICE), "member_id": str(ALICE)}
        self.ids |= {"holder_id": str(ALICE), "customer_id": str(ALICE), "kind": "banking.account"}
        self.ids["context"] = "banking"
        self._fill()

    def _fill(self) -> None:
        user: dict[str, Any] = {
            "username": "alice",
            "email": "alice@example.org",
            "person": {"name": "Alice"},
        }
        self._made("/users", user | {"user_id": str(ALICE)})
        account = {"kind": "checking", "currency": "EUR"}
        mine = self._made("/accounts", account | {"holder_id": str(ALICE)})
        other = self._made("/accounts", account | {"holder_id": str(BOB)})
        self.ids |= {"account_id": mine, "source": mine, "target": other, "id": mine}
        money = {"amount": 5_000, "currency": "EUR", "deposit_id": str(uuid4())}
        self._made(f"/accounts/{mine}/deposits", money)
        held = str(uuid4())
        hold = {"hold_id": held, "amount": 5, "currency": "EUR", "lifetime_s": 3600}
        self._made(f"/accounts/{mine}/holds", hold)
        paid = {"source": mine, "target": other, "amount": 1, "currency": "EUR"}
        self.ids |= {"hold_id": held, "transfer_id": self._made("/transfers", paid)}
        self._made("/profiles", {"name": "Alice"})
        post = self._made("/posts", {"text": "Hello", "publish": True})
        comment = self._made(f"/posts/{post}/comments", {"text": "And more"})
        self.ids |= {"post_id": post, "comment_id": comment}
        product = self._made("/products", self._body("POST", "/api/v1/products"))
        self.ids["product_id"] = product
        self._made(f"/products/{product}/stock/receive", {"quantity": 5})
        order: dict[str, Any] = {
            "customer_id": str(ALICE),
            "lines": [{"product_id": product, "quantity": 1}],
        }
        card: dict[str, Any] = {
            "address": ADDRESS,
            "payment": {"kind": "card", "card_token": "tok_visa"},
        }
        self.ids["order_id"] = order_id = self._made("/orders", order | card)
        self.http.scenario.settle()
        found = self.http.get(f"/orders/{order_id}").json()
        self.ids["payment_id"] = (
            found["payment"]["id"] if "payment" in found else found["payment_id"]
        )
        self.ids["shipment_id"] = self._made(f"/orders/{order_id}/shipments", {})
        self.http.scenario.settle()

    def _made(self, path: str, body: Any) -> str:
        answer = self.http.post(path, body)
        assert answer.status_code < 300, f"{path}: {answer.text}"
        return str(answer.json()["id"])

    def _body(self, method: str, path: str) -> Any:
        operation = self.document["paths"].get(path, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        return content.get("example")

    def call(self, route: Route, ids: dict[str, str], who: UUID | None, role: str = "") -> Any:
        """Send what the documentation gives as an example, about things of these ids."""
        place = re.sub(r"{(\w+)}", lambda name: ids.get(name[1]) or str(uuid4()), route.path)
        named = {"Aorist-Actor": str(who), "Aorist-Roles": role} if who else {}
        self.http.client.headers.pop("Aorist-Actor", None)
        if route.path.endswith("/events"):
            place += "?context=banking"
        body = _with_ids(self._body(route.method, route.path), ids)
        return self.http.send(route.method, "/" + place, json=body, headers=named)

    def facts(self) -> list[Event]:
        """Return all facts so far."""
        return [fact for fact, _ in self.http.scenario.facts()]


def _with_ids(body: Any, ids: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {
            name: ids[name] if name in ids.keys() - PATH_ONLY else _with_ids(value, ids)
            for name, value in body.items()
        }
    return [_with_ids(one, ids) for one in body] if isinstance(body, list) else body


@pytest.fixture(scope="module")
def house(all_stores: Stores) -> Iterator[House]:
    scenario = Scenario(all_stores.settings("sqlite"), None)
    http = Http(scenario)
    yield House(http)
    http.close()
    scenario.close()


def test_the_table_in_the_docs_is_what_the_routes_declare() -> None:
    assert table(every_route()) in DOCUMENT.read_text(), (
        "docs/permissions.md is another one. Instead: put there what `aorist permissions` prints"
    )


OWNED = [route for route in routes() if "the owner" in route.who]


@pytest.mark.parametrize("route", OWNED, ids=lambda route: f"{route.method} {route.path}")
def test_what_is_anothers_is_as_if_it_were_not_there(house: House, route: Route) -> None:
    before = house.facts()
    others = house.call(route, house.ids, BOB, "customer")
    nowhere = {
        name: value if name in ("kind", "target", "product_id") else str(uuid4())
        for name, value in house.ids.items()
    }
    missing = house.call(route, nowhere, BOB, "customer")
    if others.json()["code"] == "not_yours":  # something new, in another's name
        assert (route.method, others.status_code) == ("POST", 403)
        return
    problem(others, 404, others.json()["code"])
    problem(missing, 404, others.json()["code"])
    told = [re.sub(r"[0-9a-f-]{36}", "ID", answer.json()["detail"]) for answer in (others, missing)]
    assert told[0] == told[1]
    assert house.facts() == before


@pytest.mark.parametrize("route", OWNED, ids=lambda route: f"{route.method} {route.path}")
def test_the_owner_may(house: House, route: Route) -> None:
    answer = house.call(route, house.ids, ALICE, "customer")
    assert answer.status_code in (200, 201, 202, 409), answer.text


def may(route: Route, role: str) -> bool:
    """Tell whether the table lets in somebody who owns nothing; without a role, a stranger."""
    return bool(route.who & {"everyone", *(("every user", role) if role else ())})


@pytest.mark.parametrize("role", ["", *ROLES])
def test_nobody_gets_in_whom_the_table_does_not_name(house: House, role: str) -> None:
    before = house.facts()
    for route in [one for one in routes() if not may(one, role)]:
        answer = house.call(route, house.ids, uuid4() if role else None, role)
        if not role:
            problem(answer, 401, "unauthenticated")
        elif "the owner" in route.who:
            code = "not_yours" if answer.status_code == 403 else answer.json()["code"]
            problem(answer, 403 if code == "not_yours" else 404, code)
        else:
            problem(answer, 403, "not_allowed")
    assert house.facts() == before


@pytest.mark.parametrize("role", ["", *ROLES])
def test_everybody_gets_in_whom_the_table_names(house: House, role: str) -> None:
    """What they do there may be refused by a rule, and may change what the others find."""
    for route in [one for one in routes() if may(one, role)]:
        if route.path not in (ENDLESS, BY_TOKEN_ONLY):
            answer = house.call(route, house.ids, uuid4() if role else None, role)
            is_problem = answer.headers.get("content-type") == "application/problem+json"
            code = answer.json()["code"] if is_problem else None
            assert code not in NO_PERMISSION, f"{route}: {answer.text}"


def test_there_is_something_to_test() -> None:
    assert len(OWNED) > 15
    assert isinstance(DOCUMENT, Path)
