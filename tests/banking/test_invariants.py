"""Money is conserved at every fact, and every transfer ends, whatever comes between its steps."""

from datetime import timedelta
from random import Random
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
from domain import MAX_BREACHES, Event
from domain.banking.account import Account, AccountClosed
from domain.banking.hold import HoldReleased
from domain.banking.invariants import watch
from domain.banking.number import NumberClaimed
from domain.banking.transfer import Status, Transfer, TransferCompleted, TransferFailed
from tests.banking.bank import (
    ALICE,
    BOB,
    CAROL,
    CASH,
    HOLDERS,
    LARGE,
    T2,
    T,
    alice,
    bob,
    credited,
    debited,
    deposited,
    entered,
    number,
    opened,
    pay,
    placed,
    requested,
    teller,
)
from tests.banking.machine import SAGAS, Bank
from tests.scenario import Scenario

ACCOUNTS = (ALICE, BOB, CAROL)
ENDED = (Status.COMPLETED, Status.FAILED, Status.REVERSED)
FUNDS = LARGE - 1
MAX_TURNS = 120

AMOUNTS = (1, 500, FUNDS // 2, LARGE, 2 * LARGE)
IDS = [UUID(int=(0x4 << 76) | (0x8 << 60) | n) for n in range(6)]


class Turns:
    """What people do, drawn by chance, between the steps of the processes."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.bank = Bank()
        for id in ACCOUNTS:
            holder = HOLDERS[id]
            ask = OpenAccount(account_id=id, holder_id=holder, kind="checking", currency="EUR")
            assert self.bank.send(ask, teller) is None
            if id != CAROL:
                self.deposit(id)

    def take(self) -> None:
        """Take one turn."""
        pick = self.chance.choice
        turns = {
            self.steps: 40,
            self.pay: 12,
            self.pay_all: 6,
            self.decide: 5,
            self.empty: 4,
            self.deposit: 4,
            self.unfreeze: 4,
            self.freeze: 2,
            self.hold: 2,
            self.release: 2,
            self.again: 2,
            self.wait: 1,
        }
        [turn] = self.chance.choices(list(turns), list(turns.values()))
        turn(pick(ACCOUNTS))

    def steps(self, _: UUID) -> None:
        for _turn in range(self.chance.randint(1, 6)):
            for running in SAGAS:
                self.bank.step(running)

    def again(self, _: UUID) -> None:
        for running in SAGAS:
            self.bank.step(running, again=True)

    def wait(self, _: UUID) -> None:
        self.bank.wait(timedelta(minutes=self.chance.choice((1, 20, 61, 25 * 60))))

    def pay(self, source: UUID) -> None:
        pick = self.chance.choice
        self._pay(source, pick(AMOUNTS), hold_id=pick([None, None, pick(IDS)]))

    def pay_all(self, source: UUID) -> None:
        if (left := self._left(source)) > 0:
            self._pay(source, left)

    def _pay(self, source: UUID, amount: int, hold_id: UUID | None = None) -> None:
        id, target = self.chance.choice([None, *IDS]), self.chance.choice(ACCOUNTS)
        asked: dict[str, Any] = {
            "source": source,
            "target": target,
            "amount": amount,
            "currency": "EUR",
        }
        self.bank.send(RequestTransfer(transfer_id=id, hold_id=hold_id, **asked), alice)

    def decide(self, _: UUID) -> None:
        """Take one kind of decision on every transfer that there is."""
        kinds: list[Any] = [ApproveTransfer, ApproveTransfer, RejectTransfer, ReverseTransfer]
        kind = self.chance.choice(kinds)
        for id in transfers(self.bank):
            reason = {} if kind is ApproveTransfer else {"reason": "because"}
            self.bank.send(kind(transfer_id=id, **reason), bob)

    def deposit(self, id: UUID) -> None:
        money: dict[str, Any] = {"deposit_id": self.bank.new(), "amount": FUNDS, "currency": "EUR"}
        self.bank.send(DepositMoney(account_id=id, **money), teller)

    def empty(self, id: UUID) -> None:
        if (left := self._left(id)) > 0:
            money: dict[str, Any] = {
                "withdrawal_id": self.bank.new(),
                "amount": left,
                "currency": "EUR",
            }
            self.bank.send(WithdrawMoney(account_id=id, **money), alice)
        self.bank.send(CloseAccount(account_id=id), alice)

    def freeze(self, id: UUID) -> None:
        self.bank.send(FreezeAccount(account_id=id, reason="because"), teller)

    def unfreeze(self, id: UUID) -> None:
        self.bank.send(UnfreezeAccount(account_id=id, reason="because"), teller)

    def hold(self, id: UUID) -> None:
        kept: dict[str, Any] = {"amount": self.chance.choice(AMOUNTS), "currency": "EUR"}
        self.bank.send(PlaceHold(account_id=id, hold_id=self.chance.choice(IDS), **kept), alice)

    def release(self, id: UUID) -> None:
        self.bank.send(ReleaseHold(account_id=id, hold_id=self.chance.choice(IDS)), alice)

    def _left(self, id: UUID) -> int:
        left: int = self.bank.state(Account, id).funds.available(self.bank.now)
        return left


def transfers(bank: Bank) -> dict[UUID, Transfer]:
    found = {at.stream for _, at in bank.facts if at.kind == Transfer.KIND}
    return {id: bank.state(Transfer, id) for id in sorted(found)}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_money_is_conserved_and_transfers_end_whatever_comes_between(seed: int) -> None:
    turns = Turns(seed)
    bank = turns.bank
    for _ in range(MAX_TURNS):
        turns.take()
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
    return [
        sentence
        for watcher in watchers
        for sentence in (*watcher.breaches(), *watcher.unfinished())
    ]


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


def test_what_one_fact_broke_is_told_of_that_fact_alone() -> None:
    wrong, after = (ALICE, deposited(5, 205)), [(CASH, entered(5, -105)), (BOB, opened(CAROL))]
    assert len(breaches(*FUNDED, wrong)) < len(found := breaches(*FUNDED, wrong, *after)) + 2
    later = [(ALICE, debited(40, 165)), (BOB, credited(40, 40))]
    assert breaches(*FUNDED, wrong, *after, *later) == found


def test_breaches_are_listed_up_to_a_bound() -> None:
    history = [(BOB, credited(1, n, UUID(int=n))) for n in range(1, 3 * MAX_BREACHES)]
    assert 0 < len(breaches(*FUNDED, *history)) <= MAX_BREACHES * len(watch())


def test_the_log_of_real_commands_breaks_nothing(banking: Scenario) -> None:
    for id in (ALICE, BOB):
        ask = OpenAccount(account_id=id, holder_id=HOLDERS[id], kind="savings", currency="EUR")
        deposit = DepositMoney(account_id=id, deposit_id=T, amount=LARGE, currency="EUR")
        banking.when(ask, deposit, deposit, by=teller)
    banking.when(pay(), pay(LARGE - 40, transfer_id=T2, source=BOB, target=ALICE), by=alice)
    banking.when(pay(LARGE, transfer_id=None), by=alice)
    banking.when(ReverseTransfer(transfer_id=T, reason="wrong"), by=teller)
    banking.after(timedelta(days=2))
    assert breaches(*((at.stream, fact) for fact, at in banking.facts())) == []
    assert len(banking.facts()) > 30
