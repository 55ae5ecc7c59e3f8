"""Postings: no order of them takes more than there is, loses money, or posts a thing twice."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from domain import Event, Refused
from domain.banking.account import Account
from domain.banking.funds import MAX_IN_FLIGHT, Funds
from domain.banking.posting import (
    AccountCredited,
    AccountDebited,
    AccountRefunded,
    DebitRefused,
    MoneyDeposited,
    MoneyWithdrawn,
)
from tests.banking.bank import DAY, LATER, MINUTE, NOON, T2, T, alice, opened, process, with_money

ids = st.integers(1, 5).map(lambda n: UUID(int=n))
amounts = st.integers(1, 200)
minutes = st.integers(0, 90)
Decide = Callable[[Account, Any], Sequence[Event]]

decisions: st.SearchStrategy[Decide] = st.one_of(
    st.builds(lambda i, n: lambda a, now: a.deposit(i, n, "EUR", "cash"), ids, amounts),
    st.builds(lambda i, n: lambda a, now: a.withdraw(i, n, "EUR", "cash", now), ids, amounts),
    st.builds(
        lambda i, n, m: (
            lambda a, now: a.place_hold(
                i, n, "EUR", now=now, expires_at=now + m * MINUTE, placed_by=alice.actor
            )
        ),
        ids,
        amounts,
        minutes,
    ),
    st.builds(lambda i: lambda a, now: a.funds.release_hold(i, process.actor), ids),
    st.builds(
        lambda i, n, h: lambda a, now: a.debit(i, n, "EUR", now=now, before=LATER, hold_id=h),
        ids,
        amounts,
        st.none() | ids,
    ),
    st.builds(lambda i, n: lambda a, now: a.credit(i, n, "EUR"), ids, amounts),
    st.builds(lambda i: lambda a, now: a.funds.refund(i, "x"), ids),
    st.builds(lambda i: lambda a, now: a.funds.settle(i), ids),
    st.builds(lambda: lambda a, now: a.freeze("x")),
    st.builds(lambda: lambda a, now: a.unfreeze("x")),
)


@settings(max_examples=100)
@given(st.integers(0, 300), st.lists(st.tuples(decisions, minutes), max_size=30))
def test_no_order_of_decisions_breaks_the_limit(
    limit: int, turns: list[tuple[Decide, int]]
) -> None:
    account = Account().fold([opened(kind="credit", credit_limit=limit)])
    now, came, went = NOON, 0, 0
    for decide, passed in turns:
        now += passed * MINUTE
        try:
            facts = decide(account, now)
        except Refused:
            continue
        account = account.fold(facts)
        for fact in facts:
            match fact:
                case MoneyDeposited(amount=n) | AccountCredited(amount=n):
                    came += n
                case AccountRefunded(amount=n):
                    came += n
                case MoneyWithdrawn(amount=n) | AccountDebited(amount=n):
                    went += n
        assert account.funds.available(now) >= 0
        assert account.funds.available(now + DAY) >= account.funds.available(now)
        assert account.funds.balance == came - went
        assert decide(account, now) == []


def test_a_debit_comes_in_time_or_not_at_all() -> None:
    account = Account().fold(with_money(100))
    [late] = account.debit(T, 40, "EUR", now=NOON, before=NOON)
    assert late == DebitRefused(transfer_id=T, reason="timed_out")
    # Its answer stands: no later repeat takes the money.
    assert account.fold([late]).debit(T, 40, "EUR", now=NOON, before=LATER) == []


def test_a_bounded_number_of_transfers_is_on_the_way() -> None:
    flying = {UUID(int=n): 1 for n in range(MAX_IN_FLIGHT)}
    account = Account().fold(with_money(100))
    full = account.replace(funds=Funds(currency="EUR", balance=100, in_flight=flying))
    [refused] = full.debit(T, 1, "EUR", now=NOON, before=LATER)
    assert refused == DebitRefused(transfer_id=T, reason="too_many_in_flight")


def test_what_was_never_debited_is_not_refunded() -> None:
    account = Account().fold(with_money(100))
    assert account.funds.refund(T2, "x") == []
    assert account.funds.settle(T2) == []
