"""External accounts: the other side of what crosses the border."""

import itertools
from uuid import UUID

import pytest

from commands.banking.account import DepositMoney, WithdrawMoney
from domain.banking.external import (
    MAX_OUTSIDE,
    External,
    ExternalLimit,
    MoneyEntered,
    MoneyLeft,
    external_id,
)
from domain.banking.posting import MoneyWithdrawn
from projections.banking.external import externals
from tests.banking.bank import (
    ALICE,
    BOB,
    CAROL,
    CASH,
    DEPOSIT,
    T2,
    T,
    deposited,
    entered,
    opened,
    teller,
)
from tests.scenario import Scenario


def test_the_outside_mirrors_what_an_account_decided() -> None:
    outside = External(balance=-100)
    out = MoneyWithdrawn(withdrawal_id=T, amount=30, currency="EUR", balance=70, target="cash")
    [left] = outside.mirror(ALICE, [out])
    assert isinstance(left, MoneyLeft)
    assert (left.balance, left.account_id) == (-70, ALICE)
    assert outside.mirror(ALICE, [deposited(50)]) == [entered(50, -150)]
    # Where the account decided nothing, a repeat, nothing happens here.
    assert outside.mirror(ALICE, []) == []
    assert External().fold([entered(100), left]) == External(balance=-70)


def test_the_outside_counts_to_a_bound() -> None:
    with pytest.raises(ExternalLimit):
        External(balance=-MAX_OUTSIDE).mirror(ALICE, [deposited(1)])


def test_each_customer_account_faces_a_part_of_its_own() -> None:
    parts = itertools.product(("cash", "wire"), ("EUR", "USD"), (ALICE, BOB))
    assert len({external_id(*part) for part in parts}) == 8


def deposit(account: UUID, id: UUID, amount: int, currency: str = "EUR") -> DepositMoney:
    return DepositMoney(account_id=account, deposit_id=id, amount=amount, currency=currency)


def test_all_balances_sum_to_zero_per_currency(banking: Scenario) -> None:
    banking.given({ALICE: [opened()], BOB: [opened(BOB, currency="USD")], CAROL: [opened(CAROL)]})
    banking.when(
        deposit(ALICE, DEPOSIT, 100),
        deposit(BOB, DEPOSIT, 70, "USD"),
        deposit(CAROL, DEPOSIT, 10),
        deposit(ALICE, T, 5),
        WithdrawMoney(account_id=ALICE, withdrawal_id=T2, amount=30, currency="EUR"),
        by=teller,
    )
    rows = banking.rows(externals())
    assert [(row["name"], row["balance"]) for row in rows] == [
        ("cash", {"amount": -85, "currency": "EUR"}),
        ("cash", {"amount": -70, "currency": "USD"}),
    ]
    assert [row["postings"] for row in rows] == [4, 1]
    assert banking.state(External, CASH).balance == -75
    assert isinstance(banking.new_facts()[1], MoneyEntered)
