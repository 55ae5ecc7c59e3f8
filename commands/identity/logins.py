"""What ends sessions, and keeps the list of those that go on."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from commands import Change
from domain.identity.logins import Logins, logins_id
from domain.identity.session import Session


def ending(user_id: UUID, sessions: Collection[UUID], reason: str) -> list[Change[Any]]:
    """Return the changes that end sessions of a user; a part of the append that is the cause."""
    ended = [Change(Session, id, lambda session: session.end(reason)) for id in sessions]
    return [
        *ended,
        Change(Logins, logins_id(user_id), lambda logins: logins.closed(*sessions)),
    ]
