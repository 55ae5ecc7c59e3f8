"""Names have one holder, however many ask for them at once."""

import asyncio
from collections import Counter
from unicodedata import normalize
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Refused
from domain.identity.claim import (
    EMAIL,
    USERNAME,
    Claim,
    EmailTaken,
    NameClaimed,
    NameReleased,
    UsernameTaken,
    claim_id,
    folded,
)
from projections.identity.user import all_users
from tests.identity.people import ADA, BEN, register
from tests.scenario import TELLER

AT_ONCE = 100

pytestmark = pytest.mark.every_store


@given(st.text(max_size=30))
def test_case_and_unicode_form_do_not_tell_names_apart(name: str) -> None:
    once = folded(name)
    assert folded(once) == once
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert folded(normalize(form, name)) == once


@pytest.mark.parametrize(
    ("one", "other"),
    [("ADA", "ada"), ("Straße", "STRASSE"), ("Å", "A\u030a"), ("ﬁn", "fin"), (" ada ", "ada")],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert claim_id(USERNAME, one) == claim_id(USERNAME, other)


def test_an_address_is_no_username() -> None:
    assert claim_id(USERNAME, "ada") != claim_id(EMAIL, "ada")


@pytest.mark.parametrize(("kind", "refusal"), [(EMAIL, EmailTaken), (USERNAME, UsernameTaken)])
def test_a_name_is_claimed_once_until_it_is_released(kind: str, refusal: type[Refused]) -> None:
    claim = Claim().fold([NameClaimed(user_id=ADA)])
    assert claim.claim(ADA, kind) == []
    assert claim.release(BEN) == []
    with pytest.raises(refusal):
        claim.claim(BEN, kind)
    free = claim.fold([NameReleased(user_id=ADA)])
    assert free.claim(BEN, kind) == [NameClaimed(user_id=BEN)]


@pytest.mark.parametrize("shared", ["email", "username"])
def test_of_a_hundred_who_ask_at_once_one_gets_the_name(identity, shared: str) -> None:
    def asked(number: int):
        name = f"user{number}"
        wanted = "Ada" if number % 2 else "aDA"
        if shared == "username":
            return register(UUID(int=number + 1), wanted, email=f"{name}@example.org")
        return register(UUID(int=number + 1), name, email=f"{wanted}@example.org")

    async def all_at_once() -> list[object]:
        sent = [identity.system.dispatch(asked(number), TELLER) for number in range(AT_ONCE)]
        return list(await asyncio.gather(*sent, return_exceptions=True))

    found = Counter(type(answer).__name__ for answer in identity.run(all_at_once()))
    taken = "EmailTaken" if shared == "email" else "UsernameTaken"
    assert found == {"Answer": 1, taken: AT_ONCE - 1}
    assert len(identity.settle().rows(all_users())) == 1


def test_two_processes_give_a_name_once(identity, other_identity) -> None:
    async def both() -> list[object]:
        systems = (identity.system, other_identity)
        sent = [
            systems[number % 2].dispatch(
                register(UUID(int=number + 1), "ada", email=f"u{number}@example.org"), TELLER
            )
            for number in range(AT_ONCE)
        ]
        return list(await asyncio.gather(*sent, return_exceptions=True))

    found = Counter(type(answer).__name__ for answer in identity.run(both()))
    assert found == {"Answer": 1, "UsernameTaken": AT_ONCE - 1}
