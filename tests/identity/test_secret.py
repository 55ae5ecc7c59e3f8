"""Secrets of facts: in the log for the rules, and empty wherever facts are shown or sent."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec import inspect

from domain import Envelope
from domain.identity.password import PasswordHash, PasswordSet, password_id
from infra.discovery import discover
from infra.kafka.encode import MAGIC, Encoder
from infra.schemas.binary import Reader, Writer
from infra.schemas.versions import committed
from infra.veil import is_secret, veiled
from tests.api.http import OPERATOR, Http
from tests.identity.people import ADA, PASSWORD, register

AT = Envelope(
    context="identity",
    stream=password_id(ADA),
    version=1,
    position=7,
    topic=PasswordSet.TOPIC,
    time=datetime(2026, 1, 31, tzinfo=UTC),
    actor=str(ADA),
    command_id=UUID(int=2),
    correlation_id=UUID(int=3),
)
SET = PasswordSet(user_id=ADA, hash="$argon2id$canary")


def places(kind: Any, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """Yield the fields that are marked as secrets, with how deep they are."""
    if is_secret(kind):
        yield depth, kind.type
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    for field in getattr(kind, "fields", ()):
        yield from places(field.type, depth + 1)
    for one in getattr(kind, "types", ()):
        yield from places(one, depth)
    for name in ("item_type", "value_type"):
        if hasattr(kind, name):
            yield from places(getattr(kind, name), depth + 1)


def test_a_secret_is_a_text_of_the_fact_or_state_itself() -> None:
    found = discover()
    marked = {
        kind: list(places(inspect.type_info(kind)))
        for kind in (*found.facts.values(), *found.states.values())
    }
    assert marked[PasswordSet]
    assert marked[PasswordHash]
    for kind, secrets in marked.items():
        for depth, of in secrets:
            assert depth == 1, f"{kind.__name__}: a secret deeper down would be shown"
            assert isinstance(of, inspect.StrType), f"{kind.__name__}: only a text can be empty"


def test_the_mirror_has_no_secret_and_is_equal_to_the_log_all_the_same() -> None:
    encoder = Encoder(discover().facts, committed())
    value = encoder(SET, AT).value
    assert b"canary" not in value
    newest = committed().latest(PasswordSet.TOPIC)
    assert newest
    read = Reader(PasswordSet, newest.schema, newest.schema)(value[5:])
    assert read == veiled(SET) == PasswordSet(user_id=ADA, hash="")
    assert encoder(SET, AT) == encoder(veiled(SET), AT), "what is compared is what is sent"


@pytest.mark.parametrize("version", [1, 2])
def test_a_message_from_before_that_has_one_differs_and_so_is_repaired(version: int) -> None:
    encoder = Encoder(discover().facts, committed())
    known = committed().by_subject[PasswordSet.TOPIC][version - 1]
    before = MAGIC + known.id.to_bytes(4) + Writer(known.schema)(SET)
    assert encoder.today(before) != encoder(SET, AT).value


def test_no_operator_reads_a_secret(api: Http) -> None:
    api.scenario.send(register(password=PASSWORD))
    hash = api.scenario.state(PasswordHash, password_id(ADA)).hash
    assert hash
    for path in (
        "/events?context=identity",
        f"/aggregates/identity.password/{password_id(ADA)}",
        f"/aggregates/identity.password/{password_id(ADA)}/history",
    ):
        found = api.get(path, headers=OPERATOR)
        assert found.status_code == 200
        assert hash not in found.text
        assert '"hash":""' in msgspec.json.encode(found.json()).decode()
