"""Transfers through the real handlers, sagas and projections."""

from datetime import timedelta
from typing import Any

import pytest

from commands.banking.posting import CreditAccount, SettleDebit
from commands.banking.transfer import ClearTransfer, TimeOutTransfer
from domain import Event, ProcessOnly
from domain.banking.account import (
    Account,
    AccountClosed,
    AccountFrozen,
)
from domain.banking.posting import (
    AccountRefunded,
    CreditRefused,
    DebitRefused,
)
from domain.banking.refusal import TransferExists, TransferToSelf
from domain.banking.risk import TransferAssessed
from domain.banking.transfer import (
    Transfer,
    TransferCleared,
    TransferCompleted,
    TransferFailed,
    TransferOverdue,
    TransferRequested,
)
from projections.banking.account import account
from projections.banking.transfer import transfer, transfers_of
from tests.banking.bank import (
    ALICE,
    BOB,
    CAROL,
    T2,
    T,
    alice,
    bob,
    cleared,
    credited,
    debited,
    opened,
    pay,
    process,
    requested,
    settled,
    with_money,
)
from tests.scenario import Scenario

credit_now = CreditAccount(account_id=BOB, transfer_id=T, amount=40, currency="EUR")
BEGINS = [TransferRequested, TransferAssessed, TransferCleared]


def kinds(scenario: Scenario) -> list[type[Event]]:
    return [type(fact) for fact in scenario.new_facts()]


def ends(scenario: Scenario, *facts: Event) -> None:
    """The new facts end with these."""
    found = scenario.new_facts()
    assert found[-len(facts) :] == list(facts), found


def money(scenario: Scenario, id: Any) -> dict[str, Any]:
    [row] = scenario.rows(account(id))
    return {name: row[name]["amount"] for name in ("balance", "held", "available")}


def test_a_transfer_moves_money(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]}).when(pay(), by=alice)
    assert kinds(banking)[:3] == BEGINS
    ends(banking, debited(), credited(), TransferCompleted(), settled)
    assert money(banking, ALICE) == {"balance": 60, "held": 0, "available": 60}
    assert money(banking, BOB) == {"balance": 40, "held": 0, "available": 40}
    [row] = banking.rows(transfer(T))
    assert row["status"] == "completed"
    assert row["amount"] == {"amount": 40, "currency": "EUR"}
    assert row["version"] == 3
    assert [r["id"] for r in banking.rows(transfers_of(BOB))] == [T]


def test_asking_again_changes_nothing(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]}).when(pay(), by=alice)
    banking.when(pay(), by=alice).then()


def test_another_transfer_under_the_same_id_is_refused(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]}).when(pay(), by=alice)
    banking.when(pay(41), by=alice).refused(TransferExists)
    banking.when(pay(), by=bob).refused(TransferExists)


def test_nobody_pays_themselves(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100)})
    banking.when(pay(target=ALICE), by=alice).refused(TransferToSelf)


def test_a_source_without_funds_fails_the_transfer(banking: Scenario) -> None:
    banking.given({ALICE: with_money(39), BOB: [opened(BOB)]}).when(pay(), by=alice)
    ends(
        banking,
        DebitRefused(transfer_id=T, reason="insufficient_funds"),
        TransferFailed(reason="insufficient_funds"),
    )
    assert money(banking, ALICE)["balance"] == 39


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ([opened(), AccountClosed()], "account_closed"),
        ([*with_money(100), AccountFrozen(reason="court order")], "account_frozen"),
        ([opened(currency="USD")], "currency_mismatch"),
    ],
)
def test_a_source_that_cannot_pay_fails_the_transfer(
    banking: Scenario, source: list[Event], reason: str
) -> None:
    banking.given({ALICE: source, BOB: [opened(BOB)]}).when(pay(), by=alice)
    ends(banking, DebitRefused(transfer_id=T, reason=reason), TransferFailed(reason=reason))


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ([opened(BOB), AccountClosed()], "account_closed"),
        ([opened(BOB, currency="USD")], "currency_mismatch"),
    ],
)
def test_a_target_that_cannot_receive_sends_the_money_back(
    banking: Scenario, target: list[Event], reason: str
) -> None:
    banking.given({ALICE: with_money(100), BOB: target}).when(pay(), by=alice)
    ends(
        banking,
        debited(),
        CreditRefused(transfer_id=T, reason=reason),
        AccountRefunded(transfer_id=T, amount=40, currency="EUR", balance=100, reason=reason),
        TransferFailed(reason=reason),
    )
    assert money(banking, ALICE) == {"balance": 100, "held": 0, "available": 100}
    assert not banking.state(Account, ALICE).funds.in_flight


def test_a_frozen_target_receives(banking: Scenario) -> None:
    history = {ALICE: with_money(100), BOB: [opened(BOB), AccountFrozen(reason="court order")]}
    banking.given(history).when(pay(), by=alice)
    ends(banking, debited(), credited(), TransferCompleted(), settled)


def test_a_source_frozen_after_the_debit_gets_its_money_back(banking: Scenario) -> None:
    frozen = [*with_money(100), debited(), AccountFrozen(reason="court order")]
    banking.given({ALICE: frozen, BOB: [opened(BOB), AccountClosed()], T: [requested(), cleared]})
    # The refusal is the last thing that the process has not seen yet.
    banking.when(credit_now, by=process).then(
        CreditRefused(transfer_id=T, reason="account_closed"),
        AccountRefunded(
            transfer_id=T, amount=40, currency="EUR", balance=100, reason="account_closed"
        ),
        TransferFailed(reason="account_closed"),
    )


@pytest.mark.parametrize("missing", [ALICE, BOB])
def test_unknown_accounts_fail_the_transfer(banking: Scenario, missing: Any) -> None:
    there = {id: with_money(100, id) for id in (ALICE, BOB) if id != missing}
    banking.given(there).when(pay(), by=alice).then(
        requested(accounts_known=False), TransferFailed(reason="account_not_found")
    )


def test_the_id_of_something_else_is_an_unknown_account(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)], T2: [requested()]})
    banking.when(pay(target=T2), by=alice).then(
        requested(accounts_known=False, target=T2), TransferFailed(reason="account_not_found")
    )


def test_a_transfer_that_was_never_screened_times_out(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)], T: [requested()]})
    banking.when(TimeOutTransfer(transfer_id=T), by=process)
    banking.then(TransferFailed(reason="timed_out"))
    banking.when(ClearTransfer(transfer_id=T), by=process).then()


def test_a_cleared_transfer_that_moved_nothing_is_overdue_and_fails(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)], T: [requested()]})
    banking.given({T: [TransferCleared(debit_before=banking.clock.now() + timedelta(hours=1))]})
    banking.clock.moved += timedelta(hours=1)
    banking.when(TimeOutTransfer(transfer_id=T), by=process).then(
        TransferOverdue(),
        DebitRefused(transfer_id=T, reason="timed_out"),
        TransferFailed(reason="timed_out"),
    )
    [row] = banking.rows(transfer(T))
    assert row["status"] == "failed"
    assert row["overdue_at"] is not None


def test_an_overdue_transfer_whose_money_is_on_its_way_goes_on(banking: Scenario) -> None:
    banking.given({ALICE: [*with_money(100), debited()], BOB: [opened(BOB)]})
    banking.given({T: [requested(), cleared]})
    banking.when(TimeOutTransfer(transfer_id=T), by=process).then(TransferOverdue())
    banking.when(credit_now, by=process).then(credited(), TransferCompleted(), settled)


def test_deadlines_of_an_ended_transfer_change_nothing(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]}).when(pay(), by=alice)
    banking.after(timedelta(days=40)).then()


def test_transfers_in_a_ring_all_complete(banking: Scenario) -> None:
    banking.given({id: with_money(100, id) for id in (ALICE, BOB, CAROL)})
    ring = [(ALICE, BOB), (BOB, CAROL), (CAROL, ALICE)]
    banking.when(*(pay(transfer_id=None, source=s, target=t) for s, t in ring), by=alice)
    assert kinds(banking).count(TransferCompleted) == 3
    assert [money(banking, id)["balance"] for id in (ALICE, BOB, CAROL)] == [100, 100, 100]


def test_steps_of_the_process_are_taken_by_nobody_else(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]})
    banking.when(credit_now, by=alice).refused(ProcessOnly)
    banking.when(SettleDebit(account_id=ALICE, transfer_id=T), by=bob).refused(ProcessOnly)


def test_money_arrives_once_however_often_a_step_is_sent(banking: Scenario) -> None:
    banking.given({ALICE: [*with_money(100), debited()], BOB: [opened(BOB)]})
    banking.given({T: [requested(), cleared]})
    banking.when(credit_now, credit_now, credit_now, by=process)
    banking.then(credited(), TransferCompleted(), settled)
    assert banking.state(Transfer, T).status == "completed"
