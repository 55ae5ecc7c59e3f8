"""Accounts: the rules of each state, and opening, freezing, closing and money over the border."""

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from commands.banking.account import (
    CloseAccount,
    DepositMoney,
    FreezeAccount,
    OpenAccount,
    UnfreezeAccount,
    WithdrawMoney,
)
from domain import Event, Refused
from domain.banking.account import (
    Account,
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
)
from domain.banking.funds import MAX_BALANCE, RECENT
from domain.banking.hold import HoldExpired, HoldPlaced, HoldRefused, HoldReleased
from domain.banking.number import NumberClaimed, is_number
from domain.banking.posting import (
    AccountCredited,
    AccountDebited,
    AccountRefunded,
    CreditRefused,
    DebitRefused,
    DebitSettled,
    MoneyDeposited,
    MoneyWithdrawn,
)
from domain.banking.refusal import (
    AccountExists,
    AccountIsClosed,
    AccountIsFrozen,
    AccountNotEmpty,
    BalanceLimit,
    CreditLimitNotAllowed,
    CurrencyMismatch,
    InsufficientFunds,
    UnknownAccount,
)
from projections.banking.account import account, accounts_of
from tests.banking.bank import (
    ALICE,
    BOB,
    CASH,
    DAY,
    DEPOSIT,
    HOLD,
    HOLDERS,
    HOUR,
    LATER,
    NOON,
    T2,
    T,
    alice,
    debited,
    deposited,
    entered,
    opened,
    placed,
    teller,
    with_money,
)
from tests.scenario import Scenario

OTHER = UUID("de900000-0000-4000-8000-000000000002")

HISTORIES: dict[str, list[Event]] = {
    "new": [],
    "empty": [opened()],
    "open": with_money(100),
    "held": [*with_money(100), placed(70)],
    "flying": [*with_money(100), debited()],
    "frozen": [*with_money(100), AccountFrozen(reason="court order")],
    "closed": [opened(), AccountClosed()],
}


def open_like(kind: str) -> Callable[[Account], Sequence[Event]]:
    return lambda a: a.open(
        holder_id=HOLDERS[ALICE], kind=kind, currency="EUR", number="1", credit_limit=0
    )


DECISIONS: dict[str, Callable[[Account], Sequence[Event]]] = {
    "open again": open_like("checking"),
    "open another": open_like("savings"),
    "freeze": lambda a: a.freeze("court order"),
    "unfreeze": lambda a: a.unfreeze("lifted"),
    "close": lambda a: a.close(NOON),
    "deposit": lambda a: a.deposit(OTHER, 50, "EUR", "cash"),
    "deposit again": lambda a: a.deposit(DEPOSIT, 100, "EUR", "cash"),
    "withdraw": lambda a: a.withdraw(OTHER, 50, "EUR", "cash", NOON),
    "withdraw dollars": lambda a: a.withdraw(OTHER, 50, "USD", "cash", NOON),
    "hold": lambda a: a.place_hold(
        T, 50, "EUR", now=NOON, expires_at=NOON + HOUR, placed_by=alice.actor
    ),
    "hold again": lambda a: a.place_hold(
        HOLD, 50, "EUR", now=NOON, expires_at=NOON + HOUR, placed_by="saga:shop"
    ),
    "release": lambda a: a.funds.release_hold(HOLD, alice.actor),
    "expire": lambda a: a.funds.expire_hold(HOLD),
    "debit": lambda a: a.debit(T2, 50, "EUR", now=NOON, before=LATER),
    "debit again": lambda a: a.debit(T, 40, "EUR", now=NOON, before=LATER),
    "draw": lambda a: a.debit(T2, 50, "EUR", now=NOON, before=LATER, hold_id=HOLD),
    "credit": lambda a: a.credit(T2, 50, "EUR"),
    "refund": lambda a: a.funds.refund(T, "account_closed"),
    "settle": lambda a: a.funds.settle(T),
}
# What each decision leads to in each state: facts, a refusal, or nothing.
NEW, CLOSED, FROZEN = UnknownAccount, AccountIsClosed, AccountIsFrozen
POOR, FULL = InsufficientFunds, AccountNotEmpty
NO: tuple[()] = ()
MATRIX: dict[str, tuple[object, ...]] = {
    # new, empty, open, held, flying, frozen, closed
    "open again": (AccountOpened, NO, NO, NO, NO, NO, NO),
    "open another": (AccountOpened, *[AccountExists] * 6),
    "freeze": (NEW, *[AccountFrozen] * 4, NO, CLOSED),
    "unfreeze": (NEW, NO, NO, NO, NO, AccountUnfrozen, CLOSED),
    "close": (NEW, AccountClosed, FULL, FULL, FULL, FROZEN, NO),
    "deposit": (NEW, *[MoneyDeposited] * 5, CLOSED),
    "deposit again": (NEW, MoneyDeposited, NO, NO, NO, NO, CLOSED),
    "withdraw": (NEW, POOR, MoneyWithdrawn, POOR, MoneyWithdrawn, FROZEN, CLOSED),
    "withdraw dollars": (NEW, *[CurrencyMismatch] * 4, FROZEN, CLOSED),
    "hold": (NEW, HoldRefused, HoldPlaced, HoldRefused, HoldPlaced, HoldRefused, HoldRefused),
    "hold again": (HoldRefused, HoldRefused, HoldPlaced, NO, HoldPlaced, HoldRefused, HoldRefused),
    "release": (NO, NO, NO, HoldReleased, NO, NO, NO),
    "expire": (NO, NO, NO, HoldExpired, NO, NO, NO),
    "debit": (
        DebitRefused,
        DebitRefused,
        AccountDebited,
        DebitRefused,
        AccountDebited,
        DebitRefused,
        DebitRefused,
    ),
    "debit again": (
        DebitRefused,
        DebitRefused,
        AccountDebited,
        DebitRefused,
        NO,
        DebitRefused,
        DebitRefused,
    ),
    "draw": (DebitRefused, DebitRefused, DebitRefused, AccountDebited, *[DebitRefused] * 3),
    "credit": (CreditRefused, *[AccountCredited] * 5, CreditRefused),
    "refund": (NO, NO, NO, NO, AccountRefunded, NO, NO),
    "settle": (NO, NO, NO, NO, DebitSettled, NO, NO),
}
CELLS = [
    pytest.param(state, decision, outcome, id=f"{decision} when {state}")
    for decision, outcomes in MATRIX.items()
    for state, outcome in zip(HISTORIES, outcomes, strict=True)
]


def test_the_matrix_has_every_decision() -> None:
    assert MATRIX.keys() == DECISIONS.keys()


@pytest.mark.parametrize(("state", "decision", "outcome"), CELLS)
def test_every_decision_in_every_state(state: str, decision: str, outcome: object) -> None:
    before = Account().fold(HISTORIES[state])
    decide = DECISIONS[decision]
    if isinstance(outcome, type) and issubclass(outcome, Refused):
        with pytest.raises(outcome):
            decide(before)
        return
    facts = decide(before)
    assert [type(fact) for fact in facts] == ([] if outcome == NO else [outcome])
    # Said again, it has happened already.
    assert decide(before.fold(facts)) == []


def test_a_hold_whose_time_passed_does_not_stop_closing() -> None:
    state = Account().fold([opened(), deposited(100), placed(100), debited(100, 0, T)])
    with pytest.raises(AccountNotEmpty):
        state.close(NOON)
    stale = state.fold([DebitSettled(transfer_id=T)])
    assert stale.close(NOON + DAY) == [HoldExpired(hold_id=HOLD, amount=100), AccountClosed()]


def test_no_balance_grows_beyond_what_can_be_counted() -> None:
    state = Account().fold([opened(), deposited(MAX_BALANCE), debited(40, MAX_BALANCE - 40)])
    # The money in flight may come back: its room is kept.
    assert state.credit(T2, 40, "EUR") == [CreditRefused(transfer_id=T2, reason="balance_limit")]
    with pytest.raises(BalanceLimit):
        state.deposit(OTHER, 1, "EUR", "cash")
    assert state.funds.refund(T, "account_closed") != []


def test_what_an_account_remembers_is_bounded() -> None:
    state = Account().fold([opened()])
    for number in range(1, 2 * RECENT):
        state = state.fold([deposited(1, number, UUID(int=number))])
        known = [
            n for n in range(1, number + 1) if not state.deposit(UUID(int=n), 1, "EUR", "cash")
        ]
        assert known == list(range(1, number + 1))[-RECENT:]


def test_the_end_of_one_posting_and_the_start_of_the_next_are_none() -> None:
    # As bytes: d 64…64 05, d 05 64…64. From the second byte on there are 17 that read as a third.
    first, second = UUID(bytes=b"d" * 15 + b"\x05"), UUID(bytes=b"\x05" + b"d" * 15)
    state = Account().fold([opened(), deposited(1, 1, first), deposited(1, 2, second)])
    between = UUID(bytes=b"d" * 14 + b"\x05d")
    assert b"d" + between.bytes in state.funds.recent
    assert not state.funds.knows("deposit", between)
    assert state.funds.knows("deposit", first)
    assert state.funds.knows("deposit", second)


def test_only_credit_accounts_go_below_zero() -> None:
    with pytest.raises(CreditLimitNotAllowed):
        Account().open(
            holder_id=HOLDERS[ALICE], kind="savings", currency="EUR", number="1", credit_limit=1
        )
    state = Account().fold([opened(kind="credit", credit_limit=500)])
    [fact] = state.withdraw(OTHER, 500, "EUR", "cash", NOON)
    assert isinstance(fact, MoneyWithdrawn)
    assert fact.balance == -500
    with pytest.raises(InsufficientFunds):
        state.withdraw(OTHER, 501, "EUR", "cash", NOON)


def test_opening_claims_a_number(banking: Scenario) -> None:
    ask = OpenAccount(
        account_id=ALICE, holder_id=HOLDERS[ALICE], kind="credit", currency="EUR", credit_limit=500
    )
    banking.when(ask, by=teller)
    first, claim = banking.new_facts()
    assert isinstance(first, AccountOpened)
    assert is_number(first.number)
    assert claim == NumberClaimed(number=first.number, account_id=ALICE)
    banking.when(ask, by=teller).then()
    banking.when(
        OpenAccount(account_id=ALICE, holder_id=HOLDERS[BOB], kind="credit", currency="EUR"),
        by=teller,
    ).refused(AccountExists)
    [row] = banking.rows(accounts_of(HOLDERS[ALICE]))
    assert row["available"] == {"amount": 500, "currency": "EUR"}
    assert row["number"] == first.number


def test_deposits_and_withdrawals_have_two_sides(banking: Scenario) -> None:
    banking.given({ALICE: [opened()]})
    deposit = DepositMoney(account_id=ALICE, deposit_id=DEPOSIT, amount=100, currency="EUR")
    banking.when(deposit, by=teller).then(deposited(100), entered(100))
    banking.when(deposit, by=teller).then()
    withdraw = WithdrawMoney(account_id=ALICE, withdrawal_id=OTHER, amount=101, currency="EUR")
    banking.when(withdraw, by=alice).refused(InsufficientFunds)
    banking.when(
        WithdrawMoney(account_id=ALICE, withdrawal_id=OTHER, amount=30, currency="EUR"), by=alice
    )
    assert banking.state(Account, ALICE).funds.balance == 70
    assert [fact.balance for fact in banking.new_facts()] == [70, -70]  # type: ignore[attr-defined]


def test_freezing_and_closing(banking: Scenario) -> None:
    banking.given({ALICE: with_money(30), CASH: [entered(30)]})
    banking.when(FreezeAccount(account_id=ALICE, reason="court order"), by=teller)
    banking.then(AccountFrozen(reason="court order"))
    withdraw = WithdrawMoney(account_id=ALICE, withdrawal_id=OTHER, amount=30, currency="EUR")
    banking.when(withdraw, by=alice).refused(AccountIsFrozen)
    banking.when(CloseAccount(account_id=ALICE), by=teller).refused(AccountIsFrozen)
    [row] = banking.rows(account(ALICE))
    assert (row["status"], row["frozen_because"]) == ("frozen", "court order")
    banking.when(UnfreezeAccount(account_id=ALICE, reason="lifted"), by=teller)
    banking.when(CloseAccount(account_id=ALICE), by=teller).refused(AccountNotEmpty)
    banking.when(withdraw, CloseAccount(account_id=ALICE), by=teller)
    [row] = banking.rows(account(ALICE))
    assert (row["status"], row["version"]) == ("closed", 6)


def test_nothing_happens_on_an_unknown_account(banking: Scenario) -> None:
    banking.when(FreezeAccount(account_id=BOB, reason="court order"), by=teller)
    banking.refused(UnknownAccount)
    deposit = DepositMoney(account_id=BOB, deposit_id=DEPOSIT, amount=100, currency="EUR")
    banking.when(deposit, by=teller).refused(UnknownAccount)
