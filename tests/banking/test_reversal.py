"""Reversals: the money moves back by a transfer of its own, or stays."""

import pytest

from commands.banking.reversal import ReverseTransfer
from domain import Event
from domain.banking.account import AccountClosed, AccountFrozen
from domain.banking.posting import (
    AccountRefunded,
    CreditRefused,
    DebitRefused,
    DebitSettled,
    MoneyWithdrawn,
)
from domain.banking.refusal import TransferExists, UnknownTransfer
from domain.banking.reversal import (
    NotReversible,
    ReversalRefused,
    ReversalRequested,
    TransferReversed,
)
from domain.banking.transfer import TransferCleared, TransferCompleted, TransferFailed
from projections.banking.transfer import transfer
from tests.banking.bank import (
    ALICE,
    BACK,
    BOB,
    COMPLETED,
    DEPOSIT,
    T2,
    T,
    cleared,
    credited,
    debited,
    opened,
    requested,
    teller,
)
from tests.scenario import Scenario

reverse = ReverseTransfer(transfer_id=T, reason="wrong account", reversal_id=BACK)
asked = ReversalRequested(reversal_id=BACK, reason="wrong account", requested_by=teller.actor)
back = requested(by=teller, source=BOB, target=ALICE, reference="wrong account", reverses=T)
spent = MoneyWithdrawn(withdrawal_id=DEPOSIT, amount=1, currency="EUR", balance=39, target="cash")


def begins(banking: Scenario) -> list[Event]:
    """The reversal is asked for, requested and cleared; returns what follows."""
    first, second, third, *rest = banking.new_facts()
    assert (first, second) == (asked, back)
    assert isinstance(third, TransferCleared)
    return rest


def test_a_reversal_moves_the_money_back(banking: Scenario) -> None:
    banking.given(COMPLETED).when(reverse, by=teller)
    assert begins(banking) == [
        debited(40, 0, BACK),
        credited(40, 100, BACK),
        TransferCompleted(),
        DebitSettled(transfer_id=BACK),
        TransferReversed(reversal_id=BACK),
    ]
    [row] = banking.rows(transfer(T))
    assert (row["status"], row["reversal_id"]) == ("reversed", BACK)
    [row] = banking.rows(transfer(BACK))
    assert (row["status"], row["reverses"]) == ("completed", T)
    banking.when(reverse, by=teller).then()
    again = ReverseTransfer(transfer_id=BACK, reason="after all")
    banking.when(again, by=teller).refused(NotReversible)


@pytest.mark.parametrize(
    ("more", "reason"),
    [(spent, "insufficient_funds"), (AccountFrozen(reason="court order"), "account_frozen")],
)
def test_a_target_that_cannot_pay_back_keeps_the_money(
    banking: Scenario, more: Event, reason: str
) -> None:
    banking.given(COMPLETED | {BOB: [*COMPLETED[BOB], more]}).when(reverse, by=teller)
    assert begins(banking) == [
        DebitRefused(transfer_id=BACK, reason=reason),
        TransferFailed(reason=reason),
        ReversalRefused(reversal_id=BACK, reason=reason),
    ]
    [row] = banking.rows(transfer(T))
    assert (row["status"], row["reversal_refused"]) == ("completed", reason)


def test_a_source_that_is_closed_does_not_get_it_back(banking: Scenario) -> None:
    gone = [
        *COMPLETED[ALICE],
        MoneyWithdrawn(withdrawal_id=DEPOSIT, amount=60, currency="EUR", balance=0, target="cash"),
        AccountClosed(),
    ]
    banking.given(COMPLETED | {ALICE: gone}).when(reverse, by=teller)
    reason = "account_closed"
    assert begins(banking) == [
        debited(40, 0, BACK),
        CreditRefused(transfer_id=BACK, reason=reason),
        AccountRefunded(transfer_id=BACK, amount=40, currency="EUR", balance=40, reason=reason),
        TransferFailed(reason=reason),
        ReversalRefused(reversal_id=BACK, reason=reason),
    ]


def test_a_refused_reversal_may_be_asked_for_again(banking: Scenario) -> None:
    banking.given(COMPLETED | {BOB: [*COMPLETED[BOB], spent]}).when(reverse, by=teller)
    banking.when(reverse, by=teller).refused(TransferExists)
    retry = ReverseTransfer(transfer_id=T, reason="once more")
    banking.when(retry, by=teller)
    assert isinstance(banking.new_facts()[-1], ReversalRefused)


def test_only_a_completed_transfer_is_reversed(banking: Scenario) -> None:
    banking.given({ALICE: [opened()], T: [requested(), cleared]})
    banking.when(reverse, by=teller).refused(NotReversible)
    unknown = ReverseTransfer(transfer_id=T2, reason="wrong account")
    banking.when(unknown, by=teller).refused(UnknownTransfer)
