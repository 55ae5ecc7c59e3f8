"""Who may act now, as a process knows it that has just begun."""

import pytest

from commands.identity.user import GrantRole, SuspendUser
from infra.readers import Reader
from infra.tokens import BadToken
from infra.wiring import open_system
from tests.api.http import Http
from tests.identity.people import ADA, PASSWORD, register
from tests.parking import Faulty, dropped, parked


@pytest.fixture
def token(api: Http) -> str:
    """Ada has logged in; what happened since is in the read models."""
    api.scenario.when(register(password=PASSWORD))
    login = api.post("/login", {"login": "ada", "password": PASSWORD}).json()
    api.scenario.settle()
    return str(login["access_token"])


def reader_of(api: Http, name: str) -> Reader:
    return next(one for one in api.scenario.system.readers if one.name == name)


def parks_next(api: Http) -> None:
    """Let the users' read model fail at the next fact."""
    reader = reader_of(api, "identity.user")
    head = api.scenario.run(api.scenario.system.logs["identity"].store.head())
    Faulty(reader, [head + 1])


def roles_in_another_process(api: Http, token: str) -> frozenset[str]:
    async def asked() -> frozenset[str]:
        other = await open_system(api.scenario.system.settings)
        try:
            assert other.logins
            return (await other.logins.who(token)).roles
        finally:
            await other.close()

    return api.scenario.run(asked())


def test_a_suspension_that_the_read_model_leaves_out_counts_all_the_same(
    api: Http, token: str
) -> None:
    parks_next(api)
    api.scenario.when(SuspendUser(user_id=ADA, reason="fraud"))
    (group,) = parked(api.scenario)
    dropped(api.scenario, group)
    assert parked(api.scenario) == []

    with pytest.raises(BadToken, match="suspended"):
        roles_in_another_process(api, token)


def test_a_role_that_came_behind_what_is_left_out_counts(api: Http, token: str) -> None:
    parks_next(api)
    api.scenario.when(GrantRole(user_id=ADA, role="teller"), GrantRole(user_id=ADA, role="auditor"))
    (group,) = parked(api.scenario)
    dropped(api.scenario, group, whole=True)

    assert roles_in_another_process(api, token) == {"teller", "auditor"}
