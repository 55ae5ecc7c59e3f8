"""Holds: money kept for a purpose, and taken, given back or lost to time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commands.banking.hold import ExpireHold, PlaceHold, ReleaseHold
from domain import ProcessOnly
from domain.banking.account import Account
from domain.banking.funds import Funds
from domain.banking.hold import MAX_HOLDS, Hold, HoldExpired, HoldPlaced, HoldRefused, HoldReleased
from domain.banking.posting import AccountDebited, DebitRefused
from domain.banking.refusal import HoldOfProcess, UnknownAccount
from domain.banking.transfer import TransferCompleted, TransferFailed
from projections.banking.hold import holds_of, refused_holds_of
from tests.banking.bank import (
    ALICE,
    BOB,
    CAROL,
    HOLD,
    HOUR,
    LATER,
    MINUTE,
    NOON,
    T2,
    T,
    alice,
    credited,
    debited,
    opened,
    pay,
    placed,
    process,
    requested,
    settled,
    shop,
    with_money,
)
from tests.scenario import Scenario

SECOND = UUID("401d0000-0000-4000-8000-000000000002")


def held(account: Account, **changes: Any) -> Account:
    return account.fold([placed(**changes)])


RICH = Account().fold(with_money(100))


def draw(account: Account, amount: int, *, now: Any = NOON, **terms: Any) -> Any:
    [fact] = account.debit(T, amount, "EUR", now=now, before=LATER, hold_id=HOLD, **terms)
    return fact


def test_a_hold_lowers_what_is_available_until_its_time() -> None:
    account = held(RICH, amount=70)
    assert account.funds.available(NOON) == 30
    assert account.funds.available(NOON + HOUR - MINUTE) == 30
    assert account.funds.available(NOON + HOUR) == 100


def test_drawing_on_part_of_a_hold_frees_the_rest() -> None:
    account = held(RICH, amount=70)
    fact = draw(account, 50)
    assert fact == debited(50, 50, hold_id=HOLD, held=70)
    after = account.fold([fact])
    assert (after.funds.available(NOON), after.funds.holds) == (50, {})


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"amount": 71}, "hold_too_small"),
        ({"amount": 50, "now": NOON + HOUR}, "hold_expired"),
    ],
)
def test_a_hold_is_drawn_on_within_its_bounds(terms: dict[str, Any], reason: str) -> None:
    assert draw(held(RICH, amount=70), **terms) == DebitRefused(transfer_id=T, reason=reason)


def test_a_hold_serves_only_what_it_was_placed_for() -> None:
    missing = DebitRefused(transfer_id=T, reason="hold_not_found")
    assert draw(RICH, 50) == missing
    of_another_transfer = held(RICH, by=process, transfer_id=T2)
    assert draw(of_another_transfer, 40, by_process=True) == missing
    of_this_transfer = held(RICH, by=process, transfer_id=T)
    assert isinstance(draw(of_this_transfer, 40), AccountDebited)
    of_the_shop = held(RICH, by=shop)
    assert draw(of_the_shop, 40) == missing
    assert isinstance(draw(of_the_shop, 40, by_process=True), AccountDebited)


def test_a_hold_that_another_clock_has_seen_expire_breaks_no_limit() -> None:
    # One machine's clock says that the hold expired, and gives the money away.
    account = held(RICH, amount=70)
    [fact] = account.withdraw(SECOND, 100, "EUR", "cash", NOON + HOUR)
    late = account.fold([fact])
    assert draw(late, 70) == DebitRefused(transfer_id=T, reason="insufficient_funds")


def test_an_account_has_a_bounded_number_of_holds() -> None:
    hold = Hold(amount=1, expires_at=LATER, by_process=False, transfer_id=None)
    full = Funds(currency="EUR", balance=10**6, holds={UUID(int=n): hold for n in range(MAX_HOLDS)})
    refusal = full.no_hold(1, "EUR", NOON)
    assert refusal is not None
    assert refusal.code == "too_many_holds"


def test_a_hold_is_released_or_expires_once() -> None:
    account = held(RICH, amount=70)
    for resolved in (HoldReleased(hold_id=HOLD, amount=70), HoldExpired(hold_id=HOLD, amount=70)):
        after = account.fold([resolved])
        assert after.funds.available(NOON) == 100
        assert after.funds.release_hold(HOLD, alice.actor) == []
        assert after.funds.expire_hold(HOLD) == []
        # Nor is it placed again.
        again = after.place_hold(HOLD, 70, "EUR", now=NOON, expires_at=LATER, placed_by=alice.actor)
        assert again == []


def place(amount: int = 70, account: UUID = ALICE, hold: UUID = HOLD) -> PlaceHold:
    return PlaceHold(
        account_id=account, hold_id=hold, amount=amount, currency="EUR", lifetime_s=3600
    )


release = ReleaseHold(account_id=ALICE, hold_id=HOLD)


def test_a_hold_is_placed_shown_and_released(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100)}).when(place(), by=alice)
    [fact] = banking.new_facts()
    assert isinstance(fact, HoldPlaced)
    [row] = banking.rows(holds_of(ALICE))
    assert row["amount"] == {"amount": 70, "currency": "EUR"}
    banking.when(place(31, hold=SECOND), by=alice).then(
        HoldRefused(hold_id=SECOND, amount=31, currency="EUR", reason="insufficient_funds")
    )
    assert [row["reason"] for row in banking.rows(refused_holds_of(ALICE))] == [
        "insufficient_funds"
    ]
    banking.when(release, release, by=alice).then(HoldReleased(hold_id=HOLD, amount=70))
    assert banking.rows(holds_of(ALICE)) == []
    banking.after(timedelta(hours=2)).then()


def test_a_hold_that_nobody_resolves_expires_by_itself(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100)}).when(place(), by=alice)
    banking.after(timedelta(minutes=59)).then()
    banking.after(timedelta(minutes=2)).then(HoldExpired(hold_id=HOLD, amount=70))
    banking.when(release, by=alice).then()


def test_a_process_draws_on_its_hold_and_only_a_process_releases_it(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]}).when(place(), by=shop)
    banking.when(release, by=alice).refused(HoldOfProcess)
    banking.when(pay(60, hold_id=HOLD), by=shop)
    assert banking.new_facts()[-4:] == [
        debited(60, 40, hold_id=HOLD, held=70),
        credited(60, 60),
        TransferCompleted(),
        settled,
    ]
    banking.when(release, by=shop).then()
    banking.after(timedelta(hours=2)).then()


def test_a_person_does_not_draw_on_a_process_s_hold(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]}).when(place(), by=shop)
    banking.when(pay(60, hold_id=HOLD), by=alice)
    assert banking.new_facts()[-1] == TransferFailed(reason="hold_not_found")
    assert len(banking.rows(holds_of(ALICE))) == 1


def test_an_unknown_account_is_a_fact_to_a_process_and_an_error_to_a_person(
    banking: Scenario,
) -> None:
    banking.given({T: [requested()]})
    refused = HoldRefused(hold_id=HOLD, amount=70, currency="EUR", reason="account_not_found")
    banking.when(place(account=CAROL), by=shop).then(refused)
    # Even when the id is that of a transfer.
    banking.when(place(account=T), by=shop).then(refused)
    banking.when(place(account=CAROL), by=alice).refused(UnknownAccount)
    banking.when(ReleaseHold(account_id=CAROL, hold_id=HOLD), by=alice).refused(UnknownAccount)
    banking.when(ExpireHold(account_id=CAROL, hold_id=HOLD), by=alice).refused(ProcessOnly)
