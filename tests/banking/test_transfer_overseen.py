"""Transfers in an operator's hands: what they wait for, what is at stake, and ending them."""

import pytest

from domain import Money
from domain.banking.account import Account
from domain.banking.transfer import Transfer
from infra.overseeing import NotCompensable
from tests.banking.bank import ALICE, BOB, LARGE, T, alice, opened, pay, with_money
from tests.overseeing import again, by_olga, compensated, listed, shown, steps_of
from tests.parking import Faulty
from tests.test_readers import reader_of

SAGA = "saga:banking.transfer@banking"
ENOUGH = {ALICE: with_money(2 * LARGE), BOB: [opened(BOB)]}
BY_HAND = "the customer called"


def test_a_transfer_says_what_it_waits_for_and_what_is_at_stake(banking) -> None:
    banking.given(ENOUGH).when(pay(LARGE), by=alice)
    [found] = listed(banking)
    assert (found.saga, found.id, found.phase, found.stuck) == (
        "banking.transfer", T, "waiting", None,
    )  # fmt: skip
    assert found.at_stake == Money(LARGE, "EUR")
    assert [(due.name, due.command) for due in found.deadlines] == [
        ("approval", "banking.ExpireApproval")
    ]
    sent = steps_of(banking, T)
    assert [(one.command.partition(".")[2], one.attempt, one.undoes) for one in sent] == [
        ("AssessTransfer", 1, False),
        ("FlagTransfer", 1, False),
        ("PlaceTransferHold", 1, False),
        ("AwaitApproval", 1, False),
    ]
    assert sent[1].answers.endswith("banking.risk.transfer_assessed")
    assert {one.result for one in sent} == {"accepted"}


def test_a_waiting_transfer_is_compensated_by_hand(banking) -> None:
    banking.given(ENOUGH).when(pay(LARGE), by=alice)
    assert "ExpireApproval: accepted" in compensated(banking, T)[0]
    assert banking.state(Transfer, T).status == "failed"
    assert banking.state(Account, ALICE).funds.holds == {}
    assert listed(banking) == []
    assert by_olga(banking) == [("CompensateProcess", "done", BY_HAND)]
    undone = [one for one in steps_of(banking, T) if one.undoes]
    assert (undone[0].command, undone[0].answers) == ("banking.ExpireApproval", "compensate")
    assert undone[0].detail == BY_HAND
    assert undone[1].command == "banking.ReleaseHold"


def test_a_transfer_that_ended_cannot_be_compensated(banking) -> None:
    banking.given(ENOUGH).when(pay(1), by=alice)
    assert (shown(banking, T).ended, shown(banking, T).at_stake) == (True, None)
    with pytest.raises(NotCompensable, match="is completed"):
        compensated(banking, T)
    assert again(banking, T) == ["it has ended: completed"]


def test_a_stuck_transfer_says_why_and_goes_on_when_it_is_retried(banking) -> None:
    banking.given(ENOUGH)
    faulty = Faulty(reader_of(banking.system, SAGA), range(1, 100))
    banking.when(pay(1), by=alice)
    [found] = listed(banking)
    assert found.stuck == "1 facts parked: ZeroDivisionError: canary"
    assert again(banking, T)[-1].startswith("it failed again")
    faulty.positions.clear()
    assert again(banking, T) == [f"{SAGA}: 1 facts handled, 0 still parked"]
    assert banking.state(Transfer, T).status == "completed"
    assert [result for _, result, _ in by_olga(banking)] == ["failed", "done"]


def test_a_step_that_was_done_is_inert_when_it_is_taken_again(banking) -> None:
    banking.given(ENOUGH).when(pay(LARGE), by=alice)
    before = len(banking.facts())
    assert len(again(banking, T)) == 1
    assert len(banking.facts()) == before
