"""Logging in, staying so, logging out."""

from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr

from commands.identity.session import SESSION, EndSession, LogIn, RefreshSession, WrongCredentials
from commands.identity.user import ChangeUsername, ReactivateUser, SuspendUser
from domain.identity.logins import SessionClosed
from domain.identity.session import (
    Session,
    SessionEnded,
    SessionExists,
    SessionNotFound,
    SessionOver,
    SessionRefreshed,
    SessionStarted,
)
from domain.identity.user import UserIsSuspended
from tests.identity.people import ADA, PASSWORD, register

ONE, TWO = UUID(int=0x51), UUID(int=0x52)
DAY = timedelta(days=1)


def log_in(login: str = "ada", password: str = PASSWORD, session: UUID = ONE) -> LogIn:
    return LogIn(session_id=session, login=login, password=SecretStr(password))


def refresh(generation: int, session: UUID = ONE) -> RefreshSession:
    return RefreshSession(session_id=session, generation=generation)


@pytest.fixture
def ada(identity):
    """Ada has registered with a password."""
    return identity.when(register(password=PASSWORD))


@pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.org", " Ada@Example.org "])
def test_a_user_logs_in_by_either_name(ada, login):
    fact, _ = ada.when(log_in(login)).new_facts()
    assert isinstance(fact, SessionStarted)
    assert fact.user_id == ADA


@pytest.mark.parametrize(
    "wrong", [log_in(password="wrong horse"), log_in("eve"), log_in("eve@example.org")]
)
def test_a_wrong_name_and_a_wrong_password_are_told_the_same(ada, wrong):
    ada.when(wrong).refused(WrongCredentials)
    assert str(ada.refusals[0]) == "no user has this name and this password; check both"


def test_nobody_logs_in_without_having_a_password(identity):
    identity.when(register())
    identity.when(log_in(password="")).refused(WrongCredentials)


def test_registering_again_gives_nobody_a_password(identity):
    identity.when(register())
    identity.when(register(password=PASSWORD)).then()


def test_a_released_name_logs_nobody_in(ada):
    ada.when(ChangeUsername(user_id=ADA, username="lovelace"))
    ada.when(log_in("ada")).refused(WrongCredentials)
    ada.when(log_in("lovelace"))
    assert isinstance(ada.new_facts()[0], SessionStarted)


def test_a_suspended_user_neither_logs_in_nor_goes_on(ada):
    ada.when(log_in()).when(SuspendUser(user_id=ADA, reason="fraud"))
    ada.when(log_in(session=TWO)).refused(UserIsSuspended)
    ada.when(log_in(password="wrong horse", session=TWO)).refused(WrongCredentials)
    ada.when(refresh(1)).refused(UserIsSuspended)
    ada.when(ReactivateUser(user_id=ADA, reason="cleared"))
    ada.when(refresh(1)).then(SessionRefreshed(user_id=ADA, generation=2))


def test_each_refresh_token_is_good_for_one_use(ada):
    ada.when(log_in())
    ada.when(refresh(1)).then(SessionRefreshed(user_id=ADA, generation=2))
    ada.when(refresh(2)).then(SessionRefreshed(user_id=ADA, generation=3))


@pytest.mark.parametrize("generation", [1, 3, 0, -1])
def test_a_token_used_again_ends_the_session_for_thief_and_user(ada, generation):
    ada.when(log_in()).when(refresh(1))
    ada.when(refresh(generation)).then(SessionEnded(user_id=ADA, reason="reused"))
    ada.when(refresh(2)).refused(SessionOver)


def test_who_logged_out_stays_so(ada):
    ada.when(log_in())
    ada.when(EndSession(session_id=ONE)).then(
        SessionEnded(user_id=ADA, reason="logged out"), SessionClosed(user_id=ADA, session_id=ONE)
    )
    ada.when(EndSession(session_id=ONE)).then()
    ada.when(refresh(1)).refused(SessionOver)


def test_a_session_ends_by_itself(ada):
    ada.when(log_in()).after(SESSION - DAY)
    ada.when(refresh(1)).after(DAY)
    ada.when(refresh(2)).refused(SessionOver)


def test_a_session_is_begun_once(ada):
    ada.when(log_in())
    ada.when(log_in()).refused(SessionExists)
    ada.when(refresh(1, TWO)).refused(SessionNotFound)
    assert ada.state(Session, ONE).generation == 1
