"""What the watchers of the log of users see, and that they see it."""

from uuid import UUID

import pytest

from domain import Event
from domain.identity.claim import EMAIL, USERNAME, NameClaimed, NameReleased, claim_id
from domain.identity.invariants import watch
from domain.identity.user import EmailChanged, UsernameChanged
from tests.identity.people import ADA, BEN, ada, ben

NAME = claim_id(USERNAME, "ada")
MAIL = claim_id(EMAIL, "ada@example.org")
registered: list[tuple[UUID, Event]] = [
    (ADA, ada),
    (MAIL, NameClaimed(user_id=ADA)),
    (NAME, NameClaimed(user_id=ADA)),
    (BEN, ben),
]


def breaches(*history: tuple[UUID, Event]) -> dict[str, list[str]]:
    watchers = watch()
    for stream, fact in (*registered, *history):
        for watcher in watchers:
            watcher.see(stream, fact)
    return {watcher.name: watcher.breaches() for watcher in watchers if watcher.breaches()}


def test_a_name_may_go_from_one_to_the_other() -> None:
    assert not breaches(
        (ADA, UsernameChanged(username="lovelace")),
        (NAME, NameReleased(user_id=ADA)),
        (BEN, UsernameChanged(username="Ada")),
        (NAME, NameClaimed(user_id=BEN)),
        (BEN, UsernameChanged(username="ADA")),
    )


@pytest.mark.parametrize("fact", [NameClaimed(user_id=BEN), NameReleased(user_id=BEN)])
def test_a_claim_that_two_have_is_seen(fact: Event) -> None:
    assert set(breaches((NAME, fact))) == {"a name has one holder"}


@pytest.mark.parametrize(
    "fact", [UsernameChanged(username="ADA"), EmailChanged(email="Ada@example.org")]
)
def test_a_name_that_two_have_is_seen(fact: Event) -> None:
    assert set(breaches((BEN, fact))) == {"every user has their own names"}
