"""What is on an account: balance, holds, money in flight, and what may leave or reach it."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from domain import MAX_AMOUNT, Event, Refused, is_process
from domain.banking.hold import MAX_HOLDS, Hold, HoldExpired, HoldPlaced, HoldRefused, HoldReleased
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
    BalanceLimit,
    CurrencyMismatch,
    DebitTooLate,
    HoldIsExpired,
    HoldNotFound,
    HoldOfProcess,
    HoldTooSmall,
    InsufficientFunds,
    TooManyHolds,
    TooManyInFlight,
)

T = TypeVar("T")

MAX_BALANCE = MAX_AMOUNT
"""What one account may hold, in minor units, its money in flight included."""
MAX_IN_FLIGHT = 4_096
"""Transfers on their way from one account at one time."""
RECENT = 128
"""Postings an account remembers, so that a repeat of one is recognised without the log's help.

It is the second guard: the log keeps every command's idempotency key for ever. This one catches
a posting that is sent again under another key while fewer than `RECENT` others came between.
"""
POSTINGS = {"credit": b"c", "debit": b"b", "deposit": b"d", "hold": b"h", "withdrawal": b"w"}
"""The kinds of postings, by a byte each."""
POSTING_BYTES = 1 + 16
"""What is remembered of a posting: its kind, and its id."""
OTHERS_BYTES = (RECENT - 1) * POSTING_BYTES
"""What stays of the others when one is added."""


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """The money side of an account.

    A rule returns the refusal: it is raised to a person, and its code put in a fact for a process.
    """

    currency: str = ""
    credit_limit: int = 0
    balance: int = 0
    holds: dict[UUID, Hold] = {}
    in_flight: dict[UUID, int] = {}
    """Amounts debited for transfers that are neither settled nor refunded."""
    recent: bytes = b""
    """The last postings. In one piece: as many texts take several times as long to look through,
    and to copy for each fact, when there are many accounts; one text, a twentieth more to fold."""

    def available(self, now: datetime, *, drawing_on: UUID | None = None) -> int:
        """Return what may leave the account now, when one of its holds may be drawn on."""
        held = sum(
            hold.amount for id, hold in self.holds.items() if id != drawing_on and hold.active(now)
        )
        return self.balance + self.credit_limit - held

    def knows(self, what: str, id: UUID) -> bool:
        """Tell whether the posting is among the recent ones."""
        posting = _posting(what, id)
        at = self.recent.find(posting)
        while at > 0 and at % POSTING_BYTES:  # the end of one and the start of the next: none
            at = self.recent.find(posting, at + 1)
        return at >= 0

    def no_credit(self, amount: int, currency: str) -> Refused | None:
        """Money may come in when its currency is right and there is room for it."""
        # What is in flight may come back, and a refund cannot be turned away.
        reached = self.balance + sum(self.in_flight.values()) + amount
        if reached > MAX_BALANCE:
            return BalanceLimit(f"{reached} {currency} is more than {MAX_BALANCE}")
        return self._other_currency(currency)

    def no_debit(
        self, amount: int, currency: str, now: datetime, *, drawing_on: UUID | None = None
    ) -> Refused | None:
        """Money may leave when it is available."""
        # A hold covers its transfer, and still the limit is looked at: clocks of two machines
        # may disagree on whether a hold had expired when its money was given to somebody else.
        available = self.available(now, drawing_on=drawing_on)
        if refusal := self._other_currency(currency):
            return refusal
        if amount > available:
            return InsufficientFunds(f"{amount} {currency} is more than the available {available}")
        return None

    def no_flight(
        self,
        transfer_id: UUID,
        amount: int,
        currency: str,
        *,
        now: datetime,
        before: datetime,
        hold_id: UUID | None,
        by_process: bool,
    ) -> Refused | None:
        """A transfer may take off in time, and draw on a hold that is there for it."""
        if now >= before:
            return DebitTooLate(f"the transfer had until {before} to take its money")
        if len(self.in_flight) >= MAX_IN_FLIGHT:
            return TooManyInFlight(f"{MAX_IN_FLIGHT} transfers are on their way; try again later")
        if hold_id is not None:
            hold = self.holds.get(hold_id)
            if hold is None or not hold.serves(transfer_id, by_process=by_process):
                return HoldNotFound(f"there is no hold {hold_id} for this transfer")
            if not hold.active(now):
                return HoldIsExpired(f"hold {hold_id} expired at {hold.expires_at}")
            if amount > hold.amount:
                return HoldTooSmall(f"hold {hold_id} keeps {hold.amount}, not {amount}")
        return self.no_debit(amount, currency, now, drawing_on=hold_id)

    def no_hold(self, amount: int, currency: str, now: datetime) -> Refused | None:
        """Money may be held when it could leave."""
        if len(self.holds) >= MAX_HOLDS:
            return TooManyHolds(f"the account has {MAX_HOLDS} holds; release one first")
        return self.no_debit(amount, currency, now)

    def _other_currency(self, currency: str) -> Refused | None:
        if currency != self.currency:
            return CurrencyMismatch(f"the account is in {self.currency}, not in {currency}")
        return None

    # What the state of the account cannot stand in the way of

    def release_hold(self, hold_id: UUID, by: str) -> list[Event]:
        """Give a hold up; nothing when it is resolved. Raises `HoldOfProcess`."""
        hold = self.holds.get(hold_id)
        if hold is None:
            return []
        if hold.by_process and not is_process(by):
            raise HoldOfProcess(f"hold {hold_id} is a process's; it ends with the process")
        return [HoldReleased(hold_id=hold_id, amount=hold.amount)]

    def expire_hold(self, hold_id: UUID) -> list[Event]:
        """Resolve a hold whose deadline fired; nothing when it is resolved."""
        hold = self.holds.get(hold_id)
        return [] if hold is None else [HoldExpired(hold_id=hold_id, amount=hold.amount)]

    def refund(self, transfer_id: UUID, reason: str) -> list[Event]:
        """Take a debit's money back.

        Nothing can be against it: an account with money in flight cannot be closed, a frozen one
        takes money in, and there is room for what is in flight.
        """
        amount = self.in_flight.get(transfer_id)
        if amount is None:
            return []
        return [
            AccountRefunded(
                transfer_id=transfer_id,
                amount=amount,
                currency=self.currency,
                balance=self.balance + amount,
                reason=reason,
            )
        ]

    def settle(self, transfer_id: UUID) -> list[Event]:
        """Forget a debit whose money arrived."""
        return [DebitSettled(transfer_id=transfer_id)] if transfer_id in self.in_flight else []

    def after(self, event: Event) -> "Funds":
        """Return the funds after a fact of the account."""
        match event:
            case MoneyDeposited(deposit_id=id, balance=balance):
                return replace(self, recent=self._and("deposit", id), balance=balance)
            case AccountCredited(transfer_id=id, balance=balance):
                return replace(self, recent=self._and("credit", id), balance=balance)
            case AccountDebited(transfer_id=id, balance=balance):
                return replace(
                    self,
                    recent=self._and("debit", id),
                    balance=balance,
                    holds=_without(self.holds, event.hold_id),
                    in_flight={**self.in_flight, id: event.amount},
                )
            case DebitSettled(transfer_id=id):
                return replace(self, in_flight=_without(self.in_flight, id))
            case MoneyWithdrawn(withdrawal_id=id, balance=balance):
                return replace(self, recent=self._and("withdrawal", id), balance=balance)
            case HoldPlaced(hold_id=id):
                hold = Hold(event.amount, event.expires_at, event.by_process, event.transfer_id)
                return replace(self, recent=self._and("hold", id), holds={**self.holds, id: hold})
            case HoldRefused(hold_id=id):
                return replace(self, recent=self._and("hold", id))
            case HoldReleased(hold_id=id) | HoldExpired(hold_id=id):
                return replace(self, holds=_without(self.holds, id))
            case DebitRefused(transfer_id=id):
                return replace(self, recent=self._and("debit", id))
            case CreditRefused(transfer_id=id):
                return replace(self, recent=self._and("credit", id))
            case AccountRefunded(transfer_id=id, balance=balance):
                return replace(self, balance=balance, in_flight=_without(self.in_flight, id))
        return self

    def _and(self, what: str, id: UUID) -> bytes:
        return self.recent[-OTHERS_BYTES:] + _posting(what, id)


def _posting(what: str, id: UUID) -> bytes:
    return POSTINGS[what] + id.int.to_bytes(16)  # `id.bytes`, in half its time


def _without(entries: Mapping[UUID, T], id: UUID | None) -> dict[UUID, T]:
    return {key: entry for key, entry in entries.items() if key != id}
