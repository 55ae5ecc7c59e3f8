"""Over HTTP: whatever Redis does, reads are right, logins are limited, and nothing fails."""

from collections.abc import Iterator

import pytest

from infra.throttle import WINDOW_S
from tests.api.http import Http
from tests.caching import entries, with_redis
from tests.identity.people import PASSWORD, register
from tests.redises import Server
from tests.scenario import Scenario
from tests.stores import Stores

TRIES = 4
MERCHANT = {"Aorist-Actor": "shop", "Aorist-Roles": "merchant"}


@pytest.fixture
def api(all_stores: Stores, private: Server) -> Iterator[Http]:
    settings = with_redis(all_stores.settings("sqlite"), private)
    scenario = Scenario(settings.model_copy(update={"login_tries": TRIES}), None)
    http = Http(scenario)
    try:
        yield http
    finally:
        http.close()
        scenario.close()


def break_it(private: Server, fault: str) -> None:
    match fault:
        case "flush":
            private.client.flushall()
        case "poison":
            for name in private.client.scan_iter():
                private.client.delete(name)
                private.client.set(name, "poison")
        case "kill":
            private.kill()


def test_reads_are_right_whatever_redis_does(api: Http, private: Server) -> None:
    body = {"name": "Pot", "price": 100, "currency": "EUR"}
    place = "/products/" + api.post("/products", body, headers=MERCHANT).json()["id"]
    for price, fault in enumerate(["none", "flush", "poison", "kill"], start=1):
        api.post(f"{place}/price", {"price": price, "currency": "EUR"}, headers=MERCHANT)
        api.scenario.settle()
        shown = [api.get(place)]
        break_it(private, fault)
        api.scenario.system.queries.forget()
        shown += [api.get(place) for _ in range(3)]
        assert [one.status_code for one in shown] == [200] * 4, fault
        assert {one.json()["price"]["amount"] for one in shown} == {price}, fault
        assert {one.headers["ETag"] for one in shown} == {f'"{price + 1}"'}, fault
        assert fault == "kill" or entries(private), "it is used again"
    told = api.get("//metrics").text
    for result in (
        'level="memory",query="commerce.product.product",result="hit"',
        'level="redis",query="commerce.product.product",result="forged"',
    ):
        assert result in told
    ready = api.get("//readyz")
    assert ready.status_code == 200
    assert "Redis does not answer" in ready.text


@pytest.mark.parametrize("fault", ["flush", "poison", "kill"])
def test_tries_to_log_in_are_limited_whatever_redis_does(
    api: Http, private: Server, fault: str
) -> None:
    api.scenario.send(register(password=PASSWORD))
    wrong, right = ({"login": "ada", "password": word} for word in ("wrong horse", PASSWORD))
    assert api.post("/login", wrong).status_code == 401
    break_it(private, fault)
    tried = [api.post("/login", wrong).status_code for _ in range(TRIES)]
    assert tried == [401] * (TRIES - 1) + [429]
    refused = api.post("/login", right)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= WINDOW_S, "a window may be about to end"
    others = api.post("/login", {"login": "eve", "password": PASSWORD})
    assert others.status_code == 401, "nobody else is locked out"
