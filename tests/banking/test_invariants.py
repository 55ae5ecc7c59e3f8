"""Money is conserved at every fact, and every transfer ends, whatever comes between its steps."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.banking.account import (
    CloseAccount,
    DepositMoney,
    FreezeAccount,
    OpenAccount,
    UnfreezeAccount,
    WithdrawMoney,
)
from commands.banking.approval import ApproveTransfer, RejectTransfer
from commands.banking.hold import PlaceHold, ReleaseHold
from commands.banking.reversal import ReverseTransfer
from commands.banking.transfer import RequestTransfer
from domain import Event
from domain.banking.account import Account, AccountClosed
from domain.banking.hold import HoldReleased
from domain.banking.invariants import MAX_BREACHES, watch
from domain.banking.number import NumberClaimed
from domain.banking.transfer import Status, Transfer, TransferCompleted, TransferFailed
from tests.banking.bank import (
    ALICE,
    BOB,
    CAROL,
    CASH,
    HOLDERS,
    LARGE,
    T,
    alice,
    bob,
    credited,
    debited,
    deposited,
    entered,
    number,
    opened,
    placed,
    requested,
    teller,
)
from tests.banking.machine import SAGAS, Bank

ACCOUNTS = (ALICE, BOB, CAROL)
ENDED = (Status.COMPLETED, Status.FAILED, Status.REVERSED)
FUNDS = 3 * LARGE

accounts = st.sampled_from(ACCOUNTS)
amounts = st.sampled_from((1, 500, FUNDS // 2, LARGE, FUNDS))
ids = st.integers(1, 6).map(lambda n: UUID(int=(0x4 << 76) | (0x8 << 60) | n))


def command(kind: Any, **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, **fields)


EUR = st.just("EUR")
WHY = st.just("because")
payments = st.one_of(
    command(RequestTransfer, source=accounts, target=accounts, amount=amounts, currency=EUR),
    command(
        RequestTransfer,
        transfer_id=ids,
        source=accounts,
        target=accounts,
        amount=amounts,
        currency=EUR,
        hold_id=st.none() | ids,
    ),
)
commands = st.one_of(
    command(FreezeAccount, account_id=accounts, reason=WHY),
    command(UnfreezeAccount, account_id=accounts, reason=WHY),
    command(CloseAccount, account_id=accounts),
    command(WithdrawMoney, account_id=accounts, withdrawal_id=ids, amount=amounts, currency=EUR),
    command(DepositMoney, account_id=accounts, deposit_id=ids, amount=amounts, currency=EUR),
    command(PlaceHold, account_id=accounts, hold_id=ids, amount=amounts, currency=EUR),
    command(ReleaseHold, account_id=accounts, hold_id=ids),
)
decisions = st.sampled_from((ApproveTransfer, RejectTransfer, ReverseTransfer))
steps = st.tuples(st.just("steps"), st.integers(1, 9))
turn = st.one_of(
    st.tuples(st.just("command"), payments),
    st.tuples(st.just("command"), payments),
    steps,
    steps,
    st.tuples(st.just("command"), commands),
    st.tuples(st.just("empty"), accounts),
    st.tuples(st.just("decide"), decisions),
    st.tuples(st.just("again"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.sampled_from((1, 25)).map(lambda h: timedelta(hours=h))),
)


def transfers(bank: Bank) -> dict[UUID, Transfer]:
    found = {at.stream for _, at in bank.facts if at.kind == Transfer.KIND}
    return {id: bank.state(Transfer, id) for id in sorted(found)}


def decide(bank: Bank, kind: type) -> None:
    """Take a decision on every transfer that there is."""
    for id in transfers(bank):
        reason = {} if kind is ApproveTransfer else {"reason": "because"}
        bank.send(kind(transfer_id=id, **reason), bob)


def take(bank: Bank, turn: tuple[str, Any]) -> None:
    match turn:
        case "command", asked:
            bank.send(asked, alice)
        case "empty", id:
            available = bank.state(Account, id).funds.available(bank.now)
            if available > 0:
                paid = {"withdrawal_id": bank.new(), "amount": available, "currency": "EUR"}
                bank.send(WithdrawMoney(account_id=id, **paid), alice)
            bank.send(CloseAccount(account_id=id), alice)
        case "decide", kind:
            decide(bank, kind)
        case "steps", number:
            for _ in range(number):
                for running in SAGAS:
                    bank.step(running)
        case "again", number:
            for running in SAGAS * number:
                bank.step(running, again=True)
        case "wait", passed:
            bank.wait(passed)


@settings(max_examples=100, deadline=None)
@given(st.lists(turn, min_size=25, max_size=60))
def test_money_is_conserved_and_transfers_end_whatever_comes_between(
    turns: list[tuple[str, Any]],
) -> None:
    bank = Bank()
    for id in ACCOUNTS:
        holder = HOLDERS[id]
        ask = OpenAccount(account_id=id, holder_id=holder, kind="checking", currency="EUR")
        assert bank.send(ask, teller) is None
        deposit = DepositMoney(
            account_id=id, deposit_id=bank.new(), amount=FUNDS, currency="EUR", source="wire"
        )
        assert bank.send(deposit, teller) is None
    for turn in turns:
        take(bank, turn)
        assert bank.breaches() == []
        for id in ACCOUNTS:
            assert bank.state(Account, id).funds.available(bank.now) >= 0
    for _ in range(4):
        bank.settle()
        bank.wait(timedelta(days=40))
    bank.settle()
    assert bank.breaches() == []
    assert {t.status for t in transfers(bank).values()} <= set(ENDED)
    for id in ACCOUNTS:
        funds = bank.state(Account, id).funds
        assert (funds.in_flight, funds.holds) == ({}, {})


def breaches(*history: tuple[UUID, Event]) -> list[str]:
    watchers = watch()
    for stream, fact in history:
        for watcher in watchers:
            watcher.see(stream, fact)
    return [sentence for watcher in watchers for sentence in watcher.breaches()]


FUNDED = [(ALICE, opened()), (ALICE, deposited(100)), (CASH, entered(100)), (BOB, opened(BOB))]


def test_an_orderly_history_breaks_nothing() -> None:
    paid = [(T, requested()), (ALICE, debited()), (BOB, credited()), (T, TransferCompleted())]
    assert breaches(*FUNDED, *paid) == []


@pytest.mark.parametrize(
    ("history", "named"),
    [
        ([(BOB, credited())], "EUR"),
        ([(ALICE, debited()), (ALICE, debited(40, 20))], str(T)),
        ([(ALICE, debited()), (BOB, credited(41, 41))], "41"),
        ([(ALICE, deposited(5, 105))], "one side"),
        ([(CASH, entered(5, -105))], str(CASH)),
        ([(ALICE, debited(40, 61))], str(ALICE)),
        ([(ALICE, debited(140, -40))], "credit limit"),
        ([(ALICE, AccountClosed())], str(ALICE)),
        ([(BOB, AccountClosed()), (BOB, credited())], str(BOB)),
        ([(ALICE, HoldReleased(hold_id=T, amount=1))], str(T)),
        ([(BOB, placed()), (BOB, AccountClosed())], "holds"),
        ([(BOB, placed()), (BOB, placed())], "twice"),
        ([(ALICE, placed(30)), (ALICE, debited(hold_id=placed().hold_id, held=30))], "kept 30"),
        ([(T, TransferCompleted())], "never arrived"),
        ([(ALICE, debited()), (T, TransferFailed(reason="x"))], "not back"),
        ([(T, TransferFailed(reason="x")), (ALICE, debited())], "after its end"),
        ([(T, TransferFailed(reason="x"))] * 2, "ends twice"),
        ([(CAROL, opened(ALICE))], number(ALICE)),
        ([(CASH, NumberClaimed(number="1", account_id=ALICE))], "number 1"),
    ],
)
def test_a_breach_is_named(history: list[tuple[UUID, Event]], named: str) -> None:
    found = breaches(*FUNDED, *history)
    assert any(named in sentence for sentence in found), found


def test_breaches_are_listed_up_to_a_bound() -> None:
    history = [(BOB, credited(1, n, UUID(int=n))) for n in range(1, 3 * MAX_BREACHES)]
    assert 0 < len(breaches(*FUNDED, *history)) <= MAX_BREACHES * len(watch())
