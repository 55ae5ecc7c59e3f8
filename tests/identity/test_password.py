"""Passwords: kept as hashes, changed by who knows them, never shown."""

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr, ValidationError

from commands.identity.password import ChangePassword, WrongPassword
from commands.identity.session import LogIn, WrongCredentials
from domain.identity.password import PasswordHash, PasswordSet, password_id
from infra.passwords import Argon2
from infra.settings import Settings
from tests.identity.people import ADA, PASSWORD, register

NEW = "another good one"


def change(**fields: Any) -> ChangePassword:
    asked: dict[str, Any] = {"user_id": ADA, "old": PASSWORD, "new": NEW}
    return ChangePassword(**(asked | fields))


def log_in(password: str) -> LogIn:
    fields: dict[str, Any] = {"login": "ada", "password": password}
    return LogIn(**fields)


@pytest.fixture
def ada(identity):
    """Ada has registered with a password."""
    return identity.when(register(password=PASSWORD))


def test_by_default_a_hash_costs_what_owasp_asks_for():
    default = Settings(database_url="sqlite:///none.db")
    hashing = Argon2(default.password_memory_kib, default.password_passes)
    hash = asyncio.run(hashing.hash(PASSWORD))
    assert hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert asyncio.run(hashing.verify(PASSWORD, hash))


@pytest.mark.parametrize("login", ["ada", "eve", "eve@example.org"])
def test_one_hash_is_computed_for_any_login(ada, login, monkeypatch):
    """So an unknown user takes as long as a wrong password."""
    hashes: list[str] = []
    monkeypatch.setattr(PasswordHasher, "verify", lambda self, hash, password: hashes.append(hash))
    ada.when(LogIn(login=login, password=SecretStr("wrong horse"))).refused(WrongCredentials)
    (hash,) = hashes
    assert hash.startswith("$argon2id$v=19$m=8,t=1,p=1$")


def test_of_the_password_a_hash_is_kept_and_nothing_else(ada):
    hash = ada.state(PasswordHash, password_id(ADA)).hash
    assert hash.startswith("$argon2id$v=19$m=8,t=1,p=1$"), "cheap in tests"
    everything = "".join(str(row) for row in ada.sql(events_of(ada)) + ada.sql(receipts_of(ada)))
    assert PASSWORD not in everything


def events_of(scenario) -> str:
    return f"SELECT * FROM {table(scenario, 'events')}"


def receipts_of(scenario) -> str:
    return f"SELECT * FROM {table(scenario, 'receipts')}"


def table(scenario, name: str) -> str:
    return f"identity{'_' if scenario.system.databases['identity'].is_sqlite else '.'}{name}"


def test_two_passwords_have_one_fingerprint(ada):
    """Whoever could read the receipts could guess a password by its digest."""
    ada.send(log_in(PASSWORD), key="k")
    answer = ada.send(log_in("something else"), key="k")
    assert answer.replayed


def test_a_password_is_changed_by_who_knows_it(ada):
    (fact,) = ada.when(change()).new_facts()
    assert isinstance(fact, PasswordSet)
    ada.when(log_in(PASSWORD)).refused(WrongCredentials)
    assert not ada.when(log_in(NEW)).refusals
    ada.when(change()).refused(WrongPassword)


@pytest.mark.parametrize("password", ["", "seven77", "x" * 257])
def test_what_is_no_password(password):
    with pytest.raises(ValidationError):
        register(password=password)


def test_a_password_is_not_shown():
    assert PASSWORD not in repr(
        [register(password=PASSWORD), log_in(PASSWORD), change(new=PASSWORD)]
    )
