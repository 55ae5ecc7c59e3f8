"""Accounts: whose they are, what state they are in, and what money does on them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec.structs import replace

from domain import Event, Refused, State, is_process
from domain.banking.funds import Funds
from domain.banking.hold import HoldExpired, HoldPlaced, HoldRefused
from domain.banking.posting import (
    AccountCredited,
    AccountDebited,
    CreditRefused,
    DebitRefused,
    MoneyDeposited,
    MoneyWithdrawn,
)
from domain.banking.refusal import (
    AccountExists,
    AccountIsClosed,
    AccountIsFrozen,
    AccountNotEmpty,
    CreditLimitNotAllowed,
    UnknownAccount,
)

CREDIT = "credit"
"""The kind of account that may have a credit limit."""


class AccountOpened(Event, frozen=True):
    """Somebody has an account; `kind` is savings, checking, credit or investment."""

    TOPIC = "banking.account.opened"
    holder_id: UUID
    kind: str
    currency: str
    number: str
    credit_limit: int = 0


class AccountFrozen(Event, frozen=True):
    """Nothing leaves the account until it is unfrozen."""

    TOPIC = "banking.account.frozen"
    reason: str


class AccountUnfrozen(Event, frozen=True):
    """Money may leave again."""

    TOPIC = "banking.account.unfrozen"
    reason: str


class AccountClosed(Event, frozen=True):
    """The account takes part in nothing any more."""

    TOPIC = "banking.account.closed"


class Status(StrEnum):
    """Where an account is in its life."""

    NEW = "new"
    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


STATUS_AFTER: dict[type[Event], Status] = {
    AccountOpened: Status.OPEN,
    AccountFrozen: Status.FROZEN,
    AccountUnfrozen: Status.OPEN,
    AccountClosed: Status.CLOSED,
}


class Account(State, frozen=True):
    """One account. What a transfer's process waits for is a fact, not a refusal."""

    KIND = "banking.account"
    OWNER = "holder_id"
    status: Status = Status.NEW
    holder_id: UUID | None = None
    kind: str = ""
    funds: Funds = Funds()

    # Life

    def open(
        self, *, holder_id: UUID, kind: str, currency: str, number: str, credit_limit: int
    ) -> list[Event]:
        """Open it. Raises `AccountExists`, `CreditLimitNotAllowed`."""
        if credit_limit and kind != CREDIT:
            raise CreditLimitNotAllowed(
                f"a {kind} account has no credit limit; leave it out, or open a {CREDIT} account"
            )
        if self.status is not Status.NEW:
            same = (self.holder_id, self.kind, self.funds.currency, self.funds.credit_limit)
            if same == (holder_id, kind, currency, credit_limit):
                return []
            raise AccountExists("another account has this id; choose a new one")
        return [
            AccountOpened(
                holder_id=holder_id,
                kind=kind,
                currency=currency,
                number=number,
                credit_limit=credit_limit,
            )
        ]

    def freeze(self, reason: str) -> list[Event]:
        """Let nothing leave."""
        _raise(self._barred())
        return [] if self.status is Status.FROZEN else [AccountFrozen(reason=reason)]

    def unfreeze(self, reason: str) -> list[Event]:
        """Let money leave again."""
        _raise(self._barred())
        return [] if self.status is Status.OPEN else [AccountUnfrozen(reason=reason)]

    def close(self, now: datetime) -> list[Event]:
        """End it. Raises `AccountNotEmpty` while money is on it, held, or could come back to it."""
        if self.status is Status.CLOSED:
            return []
        _raise(self._locked())
        held = sum(hold.active(now) for hold in self.funds.holds.values())
        if self.funds.balance or held or self.funds.in_flight:
            raise AccountNotEmpty(
                f"balance {self.funds.balance} {self.funds.currency}, {held} holds, "
                f"{len(self.funds.in_flight)} transfers on their way from it: bring all to 0 first"
            )
        stale = [HoldExpired(hold_id=id, amount=h.amount) for id, h in self.funds.holds.items()]
        return [*stale, AccountClosed()]

    # Money over the border

    def deposit(self, deposit_id: UUID, amount: int, currency: str, source: str) -> list[Event]:
        """Take in money from an external account."""
        if self.funds.knows("deposit", deposit_id):
            return []
        _raise(self._barred() or self.funds.no_credit(amount, currency))
        return [
            MoneyDeposited(
                deposit_id=deposit_id,
                amount=amount,
                currency=currency,
                balance=self.funds.balance + amount,
                source=source,
            )
        ]

    def withdraw(
        self, withdrawal_id: UUID, amount: int, currency: str, target: str, now: datetime
    ) -> list[Event]:
        """Pay out money to an external account."""
        if self.funds.knows("withdrawal", withdrawal_id):
            return []
        _raise(self._locked() or self.funds.no_debit(amount, currency, now))
        return [
            MoneyWithdrawn(
                withdrawal_id=withdrawal_id,
                amount=amount,
                currency=currency,
                balance=self.funds.balance - amount,
                target=target,
            )
        ]

    # Holds

    def place_hold(
        self,
        hold_id: UUID,
        amount: int,
        currency: str,
        *,
        now: datetime,
        expires_at: datetime,
        placed_by: str,
        transfer_id: UUID | None = None,
    ) -> list[Event]:
        """Keep money until `expires_at`; what cannot be kept is `HoldRefused`.

        Raises `UnknownAccount` to a person; a process waits for a fact.
        """
        if self.status is Status.NEW and not is_process(placed_by):
            _raise(self._barred())
        if hold_id in self.funds.holds or self.funds.knows("hold", hold_id):
            return []
        if refusal := self._locked() or self.funds.no_hold(amount, currency, now):
            return [
                HoldRefused(
                    hold_id=hold_id,
                    amount=amount,
                    currency=currency,
                    reason=refusal.code,
                    transfer_id=transfer_id,
                )
            ]
        return [
            HoldPlaced(
                hold_id=hold_id,
                amount=amount,
                currency=currency,
                expires_at=expires_at,
                lifetime_s=int((expires_at - now).total_seconds()),
                placed_by=placed_by,
                by_process=is_process(placed_by),
                transfer_id=transfer_id,
            )
        ]

    # A transfer's legs

    def debit(
        self,
        transfer_id: UUID,
        amount: int,
        currency: str,
        *,
        now: datetime,
        before: datetime,
        hold_id: UUID | None = None,
        by_process: bool = False,
    ) -> list[Event]:
        """Take a transfer's money, from a hold when one is named; it may only draw on its own."""
        if transfer_id in self.funds.in_flight or self.funds.knows("debit", transfer_id):
            return []
        refusal = self._locked() or self.funds.no_flight(
            transfer_id,
            amount,
            currency,
            now=now,
            before=before,
            hold_id=hold_id,
            by_process=by_process,
        )
        if refusal:
            return [DebitRefused(transfer_id=transfer_id, reason=refusal.code)]
        return [
            AccountDebited(
                transfer_id=transfer_id,
                amount=amount,
                currency=currency,
                balance=self.funds.balance - amount,
                hold_id=hold_id,
                held=self.funds.holds[hold_id].amount if hold_id else 0,
            )
        ]

    def credit(self, transfer_id: UUID, amount: int, currency: str) -> list[Event]:
        """Take in a transfer's money."""
        if self.funds.knows("credit", transfer_id):
            return []
        if refusal := self._barred() or self.funds.no_credit(amount, currency):
            return [CreditRefused(transfer_id=transfer_id, reason=refusal.code)]
        return [
            AccountCredited(
                transfer_id=transfer_id,
                amount=amount,
                currency=currency,
                balance=self.funds.balance + amount,
            )
        ]

    # Who may take part

    def _barred(self) -> Refused | None:
        if self.status is Status.NEW:
            return UnknownAccount("no account was opened under this id; check it")
        if self.status is Status.CLOSED:
            return AccountIsClosed("the account is closed; use another one")
        return None

    def _locked(self) -> Refused | None:
        if self.status is Status.FROZEN:
            return AccountIsFrozen("the account is frozen; it must be unfrozen first")
        return self._barred()

    def evolve(self, event: Event) -> "Account":
        """Return the account after `event`."""
        # Few tests before a posting, which nearly all facts of a long account are.
        status = STATUS_AFTER.get(type(event))
        if status is None:
            return replace(self, funds=self.funds.after(event))
        if isinstance(event, AccountOpened):
            funds = Funds(currency=event.currency, credit_limit=event.credit_limit)
            opened = self.replace(holder_id=event.holder_id, kind=event.kind, funds=funds)
            return opened.replace(status=status)
        return self.replace(status=status)


def _raise(refusal: Refused | None) -> None:
    if refusal is not None:
        raise refusal
