"""Accounts with what is on them, by holder."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from domain import Envelope, Event
from domain.banking.account import (
    Account,
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    Status,
)
from domain.banking.hold import HoldExpired, HoldPlaced, HoldRefused, HoldReleased
from domain.banking.posting import (
    AccountCredited,
    AccountDebited,
    AccountRefunded,
    MoneyDeposited,
    MoneyWithdrawn,
)
from domain.banking.refusal import UnknownAccount
from projections import Changes, Listing, count, key, moment, money, ref, table, text

accounts = table(
    "accounts",
    key(),
    ref("holder_id", index=True),
    text("number"),
    text("kind"),
    text("status"),
    text("currency"),
    money("balance"),
    money("held"),
    money("credit_limit"),
    # What may leave it: balance and credit limit less what is held.
    money("available"),
    text("frozen_because", nullable=True),
    moment("opened_at"),
    moment("closed_at", nullable=True),
    count("position"),
    count("version"),
    history=True,
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep one row per account."""
    if at.kind != Account.KIND:
        return
    changes: dict[str, object] = {}
    match fact:
        case AccountOpened():
            _insert(fact, at, rows)
            return
        case HoldRefused(reason=UnknownAccount.code):
            return
        case AccountFrozen(reason=reason):
            changes = {"status": Status.FROZEN.value, "frozen_because": reason}
        case AccountUnfrozen():
            changes = {"status": Status.OPEN.value, "frozen_because": None}
        case AccountClosed():
            changes = {"status": Status.CLOSED.value, "closed_at": at.time}
        case MoneyDeposited() | AccountCredited() | AccountRefunded():
            rows.add(accounts, at.stream, available=fact.amount)
            changes = {"balance": fact.balance}
        case MoneyWithdrawn():
            rows.add(accounts, at.stream, available=-fact.amount)
            changes = {"balance": fact.balance}
        case AccountDebited(amount=amount, held=held):
            rows.add(accounts, at.stream, available=held - amount, held=-held)
            changes = {"balance": fact.balance}
        case HoldPlaced(amount=amount):
            rows.add(accounts, at.stream, available=-amount, held=amount)
        case HoldReleased(amount=amount) | HoldExpired(amount=amount):
            rows.add(accounts, at.stream, available=amount, held=-amount)
    rows.update(accounts, at.stream, version=at.version, **changes)


def _insert(fact: AccountOpened, at: Envelope, rows: Changes) -> None:
    rows.insert(
        accounts,
        id=at.stream,
        holder_id=fact.holder_id,
        number=fact.number,
        kind=fact.kind,
        status=Status.OPEN.value,
        currency=fact.currency,
        credit_limit=fact.credit_limit,
        available=fact.credit_limit,
        opened_at=at.time,
        position=at.position,
        version=at.version,
    )


def account(account_id: UUID) -> Select[Any]:
    """One account."""
    return select(accounts).where(accounts.c.id == account_id)


def accounts_of(holder_id: UUID) -> Listing:
    """A holder's accounts, the first opened first."""
    rows = select(accounts).where(accounts.c.holder_id == holder_id)
    return Listing(rows, by=(accounts.c.position,))


def holder_of(account_id: UUID) -> Select[Any]:
    """Whose an account is."""
    return select(accounts.c.holder_id.label("owner")).where(accounts.c.id == account_id)
