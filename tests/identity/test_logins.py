"""All logins of a user: as many as they may have, and ended together by another password."""

import asyncio
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from commands.identity.password import ChangePassword
from commands.identity.session import EndSession, LogIn
from domain.identity.logins import MAX_OPEN, Logins, SessionClosed, logins_id
from domain.identity.password import PasswordSet, password_id
from domain.identity.session import CROWDED_OUT, PASSWORD_CHANGED, Session, SessionEnded
from tests.identity.people import ADA, BEN, PASSWORD, register
from tests.scenario import TELLER, Scenario

NEW = "another good one"


def log_in(number: int, login: str = "ada") -> LogIn:
    return LogIn(session_id=UUID(int=number), login=login, password=SecretStr(PASSWORD))


def change(kept: UUID | None = None) -> ChangePassword:
    old, new = SecretStr(PASSWORD), SecretStr(NEW)
    return ChangePassword(user_id=ADA, old=old, new=new, session_id=kept)


def open_of(scenario: Scenario, user: UUID = ADA) -> list[int]:
    return [session.int for session in scenario.state(Logins, logins_id(user)).open]


@pytest.fixture
def ada(identity: Scenario) -> Scenario:
    return identity.when(
        register(password=PASSWORD), register(BEN, "ben", password=PASSWORD), log_in(99, "ben")
    )


def test_a_login_is_listed_until_it_ends(ada: Scenario) -> None:
    ada.when(log_in(1), log_in(2))
    assert open_of(ada) == [1, 2]
    ada.when(EndSession(session_id=UUID(int=1)))
    assert open_of(ada) == [2]
    ada.when(EndSession(session_id=UUID(int=1))).then()


def test_one_login_too_many_ends_the_oldest(ada: Scenario) -> None:
    ada.when(*[log_in(number) for number in range(1, MAX_OPEN + 3)])
    assert open_of(ada) == list(range(3, MAX_OPEN + 3))
    assert ada.state(Session, UUID(int=2)).ended == CROWDED_OUT
    assert not ada.state(Session, UUID(int=3)).ended


def test_another_password_ends_all_logins_but_the_one_that_asks(ada: Scenario) -> None:
    ada.when(log_in(1), log_in(2), log_in(3))
    ada.when(change(kept=UUID(int=2)))
    set_, *ended = ada.new_facts()
    assert isinstance(set_, PasswordSet)
    assert ended == [
        *[SessionEnded(user_id=ADA, reason=PASSWORD_CHANGED)] * 2,
        *[SessionClosed(user_id=ADA, session_id=UUID(int=number)) for number in (1, 3)],
    ]
    assert open_of(ada) == [2]
    assert open_of(ada, BEN) == [99], "nobody else's"


def test_a_login_that_comes_meanwhile_is_ended_or_knows_the_new_password(
    ada: Scenario, other_identity
) -> None:
    """The change names the list that it saw: a login of another process makes it decide again."""
    ada.when(log_in(1))
    ada.send(log_in(2), to=other_identity)
    ada.send(change())
    assert open_of(ada) == []
    assert ada.state(Session, UUID(int=2)).ended == PASSWORD_CHANGED


def test_the_stream_of_a_password_is_the_users(ada: Scenario) -> None:
    ada.send(change())
    assert [at.stream for fact, at in ada.facts() if isinstance(fact, PasswordSet)][-1] == (
        password_id(ADA)
    )


def test_many_logins_at_once_are_checked_once_each(
    ada: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password takes longer to check than all the rest: nobody is to check it again."""
    checked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, hash: str, password: str) -> bool:
        checked.append(hash)
        return bool(verify(self, hash, password))

    monkeypatch.setattr(PasswordHasher, "verify", counted)

    async def together() -> None:
        logins = [log_in(number) for number in range(1, MAX_OPEN + 1)]
        await asyncio.gather(*[ada.system.dispatch(one, TELLER) for one in logins])

    ada.send(log_in(50))
    checked.clear()
    ada.run(together())
    assert len(open_of(ada)) == MAX_OPEN
    assert len(checked) <= MAX_OPEN + 1, "only the one that ends the oldest may look again"
