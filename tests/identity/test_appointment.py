"""The first operator: by the link that the server prints, once."""

import asyncio

import pytest

from api.cli._serving import first_operator, greeting
from api.identity.appointment import PATH
from commands.identity.appointment import AppointFirstOperator
from domain.identity.appointment import AlreadyAppointed, OperatorAppointed
from domain.identity.user import User
from infra.system import System
from tests.api.http import Http, problem
from tests.identity.people import PASSWORD, register
from tests.scenario import TELLER, Scenario

FIELDS = {"username": "ada", "email": "ada@example.org", "name": "Ada", "password": PASSWORD}


def appoint(name: str = "ada") -> AppointFirstOperator:
    named = {"username": name, "email": f"{name}@example.org", "name": name}
    return AppointFirstOperator(**(FIELDS | named))  # type: ignore[arg-type]


def test_the_first_operator_is_a_user_with_the_role_and_a_password(identity: Scenario) -> None:
    done = identity.send(appoint())
    assert identity.state(User, done.receipt.stream).roles == ("operator",)


def test_there_is_one(identity: Scenario) -> None:
    identity.when(appoint()).when(appoint("ben")).refused(AlreadyAppointed)


def test_of_many_at_once_one_is_appointed(identity: Scenario, other_identity: System) -> None:
    async def race() -> list[object]:
        systems = [identity.system, other_identity] * 5
        tries = (one.dispatch(appoint(f"user{n}"), TELLER) for n, one in enumerate(systems))
        return await asyncio.gather(*tries, return_exceptions=True)

    done = identity.run(race())
    assert sum(isinstance(one, AlreadyAppointed) for one in done) == len(done) - 1, done
    appointed = [fact for fact, _ in identity.facts() if isinstance(fact, OperatorAppointed)]
    assert len(appointed) == 1


def printed(api: Http) -> str | None:
    return api.scenario.run(first_operator(api.app, api.scenario.system))


@pytest.fixture
def code(api: Http) -> str:
    """What stands behind the # of the link that the server prints."""
    del api.client.headers["Aorist-Actor"]
    system = api.scenario.system
    greeted = greeting(system, 80, printed(api))
    (link,) = [line for line in greeted.splitlines() if PATH in line]
    return link.partition("#")[2].partition(" ")[0]


def test_the_link_makes_an_operator_who_grants_roles(api: Http, code: str) -> None:
    page = api.get(PATH)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert api.post(PATH, FIELDS | {"code": code}).status_code == 201
    login = api.post("/login", {"login": "ada", "password": PASSWORD}).json()
    operator = {"Authorization": f"Bearer {login['access_token']}"}
    assert api.get("/events?context=identity", headers=operator).status_code == 200
    again = FIELDS | {"code": code, "username": "ben", "email": "ben@example.org"}
    problem(api.post(PATH, again), 409, "already_appointed")
    assert printed(api) is None, "no link is printed any more"


def test_without_the_code_nobody_is_appointed(api: Http, code: str) -> None:
    wrong = api.post(PATH, FIELDS | {"code": code[:-1] + "é"})
    problem(wrong, 403, "wrong_code")
    assert api.scenario.facts() == []
    api.scenario.send(register())
    assert str(printed(api)).endswith(code), "other users do not use it up"
