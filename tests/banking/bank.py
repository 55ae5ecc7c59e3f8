"""The people and accounts that the tests of the bank speak of."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from commands import Caller
from commands.banking.transfer import RequestTransfer
from domain import Event
from domain.banking.account import AccountOpened
from domain.banking.approval import ApprovalAwaited, TransferFlagged
from domain.banking.external import MoneyEntered, external_id
from domain.banking.hold import HoldPlaced
from domain.banking.number import with_check_digits
from domain.banking.posting import AccountCredited, AccountDebited, DebitSettled, MoneyDeposited
from domain.banking.transfer import (
    TransferCleared,
    TransferCompleted,
    TransferRequested,
)

ALICE = UUID("a11ce000-0000-4000-8000-000000000001")
BOB = UUID("b0b00000-0000-4000-8000-000000000002")
CAROL = UUID("ca401000-0000-4000-8000-000000000003")
"""Accounts; each belongs to the person of that name."""
alice = Caller(actor="a11ce000-0000-4000-8000-0000000000ff")
bob = Caller(actor="b0b00000-0000-4000-8000-0000000000ff")
teller = Caller(actor="7e11e400-0000-4000-8000-0000000000ff")
HOLDERS = {ALICE: UUID(alice.actor), BOB: UUID(bob.actor), CAROL: UUID(teller.actor)}
process = Caller(actor="saga:banking.transfer")
shop = Caller(actor="saga:commerce.payment")

T = UUID("7a000000-0000-4000-8000-000000000001")
T2 = UUID("7a000000-0000-4000-8000-000000000002")
BACK = UUID("7a000000-0000-4000-8000-00000000000b")
HOLD = UUID("401d0000-0000-4000-8000-000000000001")
DEPOSIT = UUID("de900000-0000-4000-8000-000000000001")

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""After the end of every test."""
LARGE = 1_000_000
"""What the bank looks at twice."""


def number(account: UUID) -> str:
    return with_check_digits(account.int % 10**12)


def opened(
    account: UUID = ALICE, currency: str = "EUR", kind: str = "checking", credit_limit: int = 0
) -> AccountOpened:
    return AccountOpened(
        holder_id=HOLDERS[account],
        kind=kind,
        currency=currency,
        number=number(account),
        credit_limit=credit_limit,
    )


def deposited(amount: int, balance: int | None = None, id: UUID = DEPOSIT) -> MoneyDeposited:
    return MoneyDeposited(
        deposit_id=id, amount=amount, currency="EUR", balance=balance or amount, source="cash"
    )


def entered(amount: int, balance: int | None = None, account: UUID = ALICE) -> MoneyEntered:
    return MoneyEntered(
        posting_id=DEPOSIT,
        account_id=account,
        name="cash",
        currency="EUR",
        amount=amount,
        balance=-amount if balance is None else balance,
    )


CASH = external_id("cash", "EUR", ALICE)


def with_money(amount: int, account: UUID = ALICE) -> list[Event]:
    return [opened(account), deposited(amount)]


def pay(amount: int = 40, **fields: Any) -> RequestTransfer:
    asked: dict[str, Any] = {"transfer_id": T, "source": ALICE, "target": BOB, "currency": "EUR"}
    return RequestTransfer(amount=amount, **(asked | fields))


def requested(amount: int = 40, by: Caller = alice, **fields: Any) -> TransferRequested:
    asked: dict[str, Any] = {"source": ALICE, "target": BOB, "currency": "EUR"}
    return TransferRequested(amount=amount, requested_by=by.actor, **(asked | fields))


def debited(amount: int = 40, balance: int = 60, id: UUID = T, **fields: Any) -> AccountDebited:
    return AccountDebited(transfer_id=id, amount=amount, currency="EUR", balance=balance, **fields)


def credited(amount: int = 40, balance: int = 40, id: UUID = T) -> AccountCredited:
    return AccountCredited(transfer_id=id, amount=amount, currency="EUR", balance=balance)


def placed(
    amount: int = 40, expires_at: datetime = NOON + HOUR, by: Caller = alice, **fields: Any
) -> HoldPlaced:
    kept: dict[str, Any] = {"hold_id": HOLD, "currency": "EUR", "lifetime_s": 3600}
    return HoldPlaced(
        amount=amount,
        expires_at=expires_at,
        placed_by=by.actor,
        by_process=by.actor.startswith("saga:"),
        **(kept | fields),
    )


cleared = TransferCleared(debit_before=LATER)
settled = DebitSettled(transfer_id=T)
flagged = TransferFlagged(severity="review", rules=("large_amount",))
awaited = ApprovalAwaited(hold_id=T)

COMPLETED: dict[UUID, list[Event]] = {
    ALICE: [opened(ALICE), deposited(100), debited(), settled],
    BOB: [opened(BOB), credited()],
    T: [requested(), cleared, TransferCompleted()],
}
"""Alice had 100 and paid Bob 40."""
WAITING: dict[UUID, list[Event]] = {
    ALICE: [
        opened(ALICE),
        deposited(2 * LARGE),
        placed(LARGE, LATER, process, hold_id=T, transfer_id=T),
    ],
    BOB: [opened(BOB)],
    T: [requested(LARGE), flagged, awaited],
}
"""Alice has 20,000 and wants to pay Bob 10,000; somebody must approve."""
