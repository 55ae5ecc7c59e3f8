"""Account numbers."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import Change, Receipt
from commands.banking.account import MAX_DRAWS, OpenAccount, open_account
from domain.banking.account import Account
from domain.banking.number import (
    PAYLOAD_DIGITS,
    NumberClaim,
    NumberClaimed,
    NumberTaken,
    claim_id,
    is_number,
    with_check_digits,
)
from tests.banking.bank import ALICE, BOB, HOLDERS

payloads = st.integers(0, 10**PAYLOAD_DIGITS - 1)


@given(payloads, st.integers(0, PAYLOAD_DIGITS + 1), st.integers(1, 9))
def test_one_wrong_digit_is_found(payload: int, place: int, off: int) -> None:
    number = with_check_digits(payload)
    assert is_number(number)
    wrong = str((int(number[place]) + off) % 10)
    assert not is_number(number[:place] + wrong + number[place + 1 :])


@given(payloads, st.integers(0, PAYLOAD_DIGITS))
def test_two_digits_exchanged_are_found(payload: int, place: int) -> None:
    number = with_check_digits(payload)
    first, second = number[place], number[place + 1]
    exchanged = number[:place] + second + first + number[place + 2 :]
    assert is_number(exchanged) == (first == second)


@pytest.mark.parametrize("text", ["", "1", "x" * 14, "٣" * 14, "1" * 15])
def test_what_is_no_number(text: str) -> None:
    assert not is_number(text)


def test_a_number_is_claimed_once() -> None:
    claimed = NumberClaim().fold(NumberClaim().claim("1", ALICE))
    assert claimed.claim("1", ALICE) == []
    with pytest.raises(NumberTaken):
        claimed.claim("1", BOB)


class Draws:
    """Numbers in a given order."""

    def __init__(self, *numbers: int) -> None:
        self.left = list(numbers)

    def new(self) -> UUID:
        return ALICE

    def number(self, digits: int) -> int:
        return self.left.pop(0)

    def secret(self) -> str:
        return ""


class Claims:
    """A log that holds number claims, and appends in memory."""

    def __init__(self, *numbers: str) -> None:
        self.states: dict[UUID, Any] = {
            claim_id(number): NumberClaim(account_id=BOB) for number in numbers
        }
        self.facts: list[object] = []

    async def change_all(self, *changes: Change[Any]) -> Receipt:
        facts = [
            fact
            for change in changes
            for fact in change.decide(self.states.get(change.id) or change.state())
        ]
        self.facts += facts
        return Receipt(context="banking", position=len(facts), stream=changes[0].id, version=1)


ask = OpenAccount(holder_id=HOLDERS[ALICE], kind="savings", currency="EUR")


def test_a_taken_number_is_drawn_again() -> None:
    log = Claims(with_check_digits(7))
    asyncio.run(open_account(ask, log, Draws(7, 8)))  # type: ignore[arg-type]
    assert log.facts[1] == NumberClaimed(number=with_check_digits(8), account_id=ALICE)


def test_drawing_gives_up() -> None:
    log, draws = Claims(with_check_digits(7)), Draws(*[7] * (MAX_DRAWS + 1))
    with pytest.raises(NumberTaken):
        asyncio.run(open_account(ask, log, draws))  # type: ignore[arg-type]
    assert len(draws.left) == 1
    assert log.facts == []


def test_an_open_account_keeps_its_number() -> None:
    log = Claims()
    log.states[ALICE] = Account().fold(
        Account().open(
            holder_id=HOLDERS[ALICE], kind="savings", currency="EUR", number="1", credit_limit=0
        )
    )
    asyncio.run(open_account(ask, log, Draws(7)))  # type: ignore[arg-type]
    assert log.facts == []
