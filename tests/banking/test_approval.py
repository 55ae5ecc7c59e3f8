"""Approval: no money moves before somebody with no part in the transfer decides, once."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from commands import Caller
from commands.banking.account import CloseAccount, WithdrawMoney
from commands.banking.approval import ApproveTransfer, RejectTransfer
from domain import Event, Refused
from domain.banking.account import AccountFrozen
from domain.banking.approval import (
    AlreadyDecided,
    ApprovalAwaited,
    NotWaiting,
    SelfApproval,
    TransferApproved,
    TransferFlagged,
    TransferRejected,
)
from domain.banking.hold import HoldPlaced, HoldRefused, HoldReleased
from domain.banking.posting import DebitRefused
from domain.banking.refusal import AccountNotEmpty, InsufficientFunds, UnknownTransfer
from domain.banking.reversal import (
    NotReversible,
    ReversalRefused,
    ReversalRequested,
    TransferReversed,
)
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
from projections.banking.approval import approvals
from projections.banking.hold import holds_of
from projections.banking.transfer import transfer
from tests.banking.bank import (
    ALICE,
    BACK,
    BOB,
    DEPOSIT,
    HOLD,
    LARGE,
    LATER,
    NOON,
    WAITING,
    T,
    alice,
    awaited,
    bob,
    cleared,
    credited,
    debited,
    flagged,
    opened,
    pay,
    placed,
    requested,
    settled,
    shop,
    teller,
    with_money,
)
from tests.scenario import Scenario

APPROVED = TransferApproved(approver=teller.actor, debit_before=LATER)
REJECTED = TransferRejected(approver=teller.actor, reason="stolen")
ENDED = TransferFailed(reason="x")
REVERSAL = ReversalRequested(reversal_id=BACK, reason="wrong", requested_by=teller.actor)
HISTORIES: dict[str, list[Event]] = {
    "new": [],
    "requested": [requested()],
    "flagged": [requested(), flagged],
    "waiting": [requested(), flagged, awaited],
    "cleared": [requested(), cleared],
    "approved": [requested(), flagged, awaited, APPROVED],
    "completed": [requested(), cleared, TransferCompleted()],
    "rejected": [requested(), flagged, awaited, REJECTED, TransferFailed(reason="rejected")],
    "failed": [requested(), ENDED],
    "reversing": [requested(), cleared, TransferCompleted(), REVERSAL],
    "reversed": [
        requested(),
        cleared,
        TransferCompleted(),
        REVERSAL,
        TransferReversed(reversal_id=BACK),
    ],
}
DECISIONS: dict[str, Callable[[Transfer], Sequence[Event]]] = {
    "request": lambda t: t.request(requested()),
    "clear": lambda t: t.clear(NOON),
    "flag": lambda t: t.flag("review", ("large_amount",)),
    "await": lambda t: t.await_approval(T),
    "approve": lambda t: t.approve(teller.actor, alice.actor, NOON),
    "reject": lambda t: t.reject(teller.actor, alice.actor, "stolen"),
    "approve, another": lambda t: t.approve(bob.actor, alice.actor, NOON),
    "expire": lambda t: t.expire_approval(),
    "time out": lambda t: t.time_out(),
    "complete": lambda t: t.complete(),
    "fail": lambda t: t.fail("x"),
    "reverse": lambda t: t.reverse(BACK, teller.actor, "wrong"),
    "complete reversal": lambda t: t.complete_reversal(BACK),
    "refuse reversal": lambda t: t.refuse_reversal(BACK, "x"),
}
A, NW, AD, NR = TransferApproved, NotWaiting, AlreadyDecided, NotReversible
R, F, UT = [TransferRejected, TransferFailed], TransferFailed, UnknownTransfer
NO: list[type[Event]] = []
MATRIX: dict[str, tuple[object, ...]] = {
    # new, requested, flagged, waiting, cleared, approved, completed, rejected, failed,
    # reversing, reversed
    "request": (TransferRequested, *[NO] * 10),
    "clear": (NO, TransferCleared, *[NO] * 9),
    "flag": (NO, TransferFlagged, *[NO] * 9),
    "await": (NO, NO, ApprovalAwaited, *[NO] * 8),
    "approve": (UT, NW, NW, A, NW, NO, NW, AD, NW, NW, NW),
    "reject": (UT, NW, NW, R, NW, AD, NW, NO, NW, NW, NW),
    "approve, another": (UT, NW, NW, A, NW, AD, NW, AD, NW, NW, NW),
    "expire": (NO, NO, NO, F, *[NO] * 7),
    "time out": (NO, F, F, NO, TransferOverdue, TransferOverdue, *[NO] * 5),
    "complete": (NO, NO, NO, NO, TransferCompleted, TransferCompleted, *[NO] * 5),
    "fail": (NO, F, F, F, F, F, *[NO] * 5),
    "reverse": (UT, NR, NR, NR, NR, NR, ReversalRequested, NR, NR, NO, NO),
    "complete reversal": (*[NO] * 9, TransferReversed, NO),
    "refuse reversal": (*[NO] * 9, ReversalRefused, NO),
}
CELLS = [
    pytest.param(state, decision, outcome, id=f"{decision} when {state}")
    for decision, outcomes in MATRIX.items()
    for state, outcome in zip(HISTORIES, outcomes, strict=True)
]


@pytest.mark.parametrize(("state", "decision", "outcome"), CELLS)
def test_every_decision_in_every_state(state: str, decision: str, outcome: object) -> None:
    before = Transfer().fold(HISTORIES[state])
    decide = DECISIONS[decision]
    if isinstance(outcome, type) and issubclass(outcome, Refused):
        with pytest.raises(outcome):
            decide(before)
        return
    facts = decide(before)
    expected = outcome if isinstance(outcome, list) else [outcome]
    assert [type(fact) for fact in facts] == expected
    assert decide(before.fold(facts)) == []


def test_the_matrix_has_every_decision() -> None:
    assert MATRIX.keys() == DECISIONS.keys()


approve = ApproveTransfer(transfer_id=T)
reject = RejectTransfer(transfer_id=T, reason="stolen")


def waits(banking: Scenario) -> Scenario:
    """Alice asks for a transfer that the bank looks at twice."""
    banking.given({ALICE: with_money(2 * LARGE), BOB: [opened(BOB)]})
    return banking.when(pay(LARGE), by=alice)


def test_a_large_transfer_waits_with_its_money_held(banking: Scenario) -> None:
    waits(banking)
    assert [type(fact) for fact in banking.new_facts()] == [
        TransferRequested,
        TransferAssessed,
        TransferFlagged,
        HoldPlaced,
        ApprovalAwaited,
    ]
    [row] = banking.rows(approvals())
    assert (row["id"], row["rules"], row["severity"]) == (T, ["large_amount"], "review")
    [row] = banking.rows(account(ALICE))
    assert row["balance"]["amount"] == 2 * LARGE
    assert row["available"]["amount"] == LARGE
    spend = WithdrawMoney(account_id=ALICE, withdrawal_id=DEPOSIT, amount=LARGE + 1, currency="EUR")
    banking.when(spend, by=alice).refused(InsufficientFunds)
    banking.when(CloseAccount(account_id=ALICE), by=alice).refused(AccountNotEmpty)


def test_an_approved_transfer_completes_from_what_was_held(banking: Scenario) -> None:
    waits(banking).when(approve, by=teller)
    facts = banking.new_facts()
    assert isinstance(facts[0], TransferApproved)
    assert facts[1:] == [
        debited(LARGE, LARGE, hold_id=T, held=LARGE),
        credited(LARGE, LARGE),
        TransferCompleted(),
        settled,
    ]
    assert banking.rows(approvals()) == []
    assert banking.rows(holds_of(ALICE)) == []
    banking.when(approve, by=teller).then()
    banking.when(reject, by=teller).refused(AlreadyDecided)
    banking.after(timedelta(days=40)).then()


def test_a_rejected_transfer_gives_back_what_was_held(banking: Scenario) -> None:
    waits(banking).when(reject, by=teller).then(
        REJECTED, TransferFailed(reason="rejected"), HoldReleased(hold_id=T, amount=LARGE)
    )
    [row] = banking.rows(transfer(T))
    assert (row["status"], row["reason"], row["decided_by"]) == (
        "failed",
        "rejected",
        teller.actor,
    )
    banking.when(approve, by=bob).refused(AlreadyDecided)
    banking.after(timedelta(days=40)).then()


def test_a_wait_ends_by_itself(banking: Scenario) -> None:
    waits(banking).after(timedelta(hours=23)).then()
    banking.after(timedelta(hours=2)).then(
        TransferFailed(reason="approval_expired"), HoldReleased(hold_id=T, amount=LARGE)
    )
    banking.when(approve, by=teller).refused(NotWaiting)


@pytest.mark.parametrize("who", [alice, Caller(actor=alice.actor.upper())])
def test_nobody_approves_their_own_transfer(banking: Scenario, who: Caller) -> None:
    banking.given(WAITING)
    banking.when(approve, reject, by=who).refused(SelfApproval, SelfApproval)


def test_whose_money_it_is_does_not_approve_what_a_process_asked_for(banking: Scenario) -> None:
    history = WAITING | {T: [requested(LARGE, by=shop), flagged, awaited]}
    banking.given(history).when(approve, by=alice).refused(SelfApproval)


def test_an_account_frozen_meanwhile_fails_the_transfer(banking: Scenario) -> None:
    frozen = [*WAITING[ALICE], AccountFrozen(reason="court order")]
    banking.given(WAITING | {ALICE: frozen}).when(approve, by=teller)
    assert banking.new_facts()[1:] == [
        DebitRefused(transfer_id=T, reason="account_frozen"),
        TransferFailed(reason="account_frozen"),
        HoldReleased(hold_id=T, amount=LARGE),
    ]


def test_a_flagged_transfer_without_funds_does_not_wait(banking: Scenario) -> None:
    banking.given({ALICE: with_money(LARGE - 1), BOB: [opened(BOB)]})
    banking.when(pay(LARGE), by=alice)
    refused, failed = banking.new_facts()[-2:]
    assert isinstance(refused, HoldRefused)
    assert failed == TransferFailed(reason="insufficient_funds")


def test_a_flagged_transfer_on_a_given_hold_waits_on_that_one(banking: Scenario) -> None:
    in_time = banking.clock.now() + timedelta(days=7)
    held = placed(LARGE, in_time, shop)
    banking.given({ALICE: [*with_money(2 * LARGE), held], BOB: [opened(BOB)]})
    banking.when(pay(LARGE, hold_id=HOLD), by=shop)
    assert banking.new_facts()[-1] == ApprovalAwaited(hold_id=HOLD)
    banking.when(reject, by=teller)
    # The hold is not the transfer's own: whoever placed it decides on it.
    banking.then(REJECTED, TransferFailed(reason="rejected"))
    assert len(banking.rows(holds_of(ALICE))) == 1
