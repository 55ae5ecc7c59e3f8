"""What must hold over the whole log of the bank, watched fact by fact."""

from collections import Counter
from uuid import UUID

from domain import Event, Watcher
from domain.banking.account import AccountClosed, AccountOpened
from domain.banking.external import MoneyEntered, MoneyLeft
from domain.banking.hold import HoldExpired, HoldPlaced, HoldReleased
from domain.banking.number import NumberClaimed
from domain.banking.posting import (
    AccountCredited,
    AccountDebited,
    AccountRefunded,
    MoneyDeposited,
    MoneyWithdrawn,
)
from domain.banking.transfer import TransferCompleted, TransferFailed

Coming = MoneyDeposited | AccountCredited | AccountRefunded
Going = MoneyWithdrawn | AccountDebited
OnAccount = Coming | Going


def watch() -> list[Watcher]:
    """Return fresh watchers for one walk through the log."""
    return [MoneyConserved(), BalancesFollow(), HoldsResolveOnce(), TransfersEnd(), NumbersUnique()]


class MoneyConserved(Watcher):
    """Per currency all balances, external ones included, and what is in flight sum to zero.

    In flight is what was debited for a transfer and neither credited nor refunded. The two sides
    of a deposit or a withdrawal are in one append, one right after the other: between them, and
    only there, the amount of the first side is on its way too.
    """

    name = "money is conserved"

    def __init__(self) -> None:
        super().__init__()
        self._balances: dict[UUID, tuple[str, int]] = {}
        self._sums: Counter[str] = Counter()
        self._in_flight: dict[UUID, tuple[str, int]] = {}
        self._flying: Counter[str] = Counter()
        self._half: tuple[UUID, str, int] | None = None

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        self._pair(stream, fact)
        match fact:
            case AccountDebited(transfer_id=transfer):
                if transfer in self._in_flight:
                    self.breach(f"account {stream}: transfer {transfer} is debited twice")
                self._in_flight[transfer] = (fact.currency, fact.amount)
                self._flying[fact.currency] += fact.amount
            case AccountCredited(transfer_id=transfer) | AccountRefunded(transfer_id=transfer):
                came = (fact.currency, fact.amount)
                flew = self._in_flight.pop(transfer, None)
                if flew != came:
                    self.breach(f"account {stream}: transfer {transfer} brings {came}, not {flew}")
                self._flying[fact.currency] -= fact.amount
        if isinstance(fact, OnAccount | MoneyEntered | MoneyLeft):
            self._balance(stream, fact.currency, fact.balance)

    def _balance(self, stream: UUID, currency: str, balance: int) -> None:
        _, before = self._balances.get(stream, (currency, 0))
        self._balances[stream] = (currency, balance)
        self._sums[currency] += balance - before
        between = self._half[2] if self._half and self._half[1] == currency else 0
        total = self._sums[currency] + self._flying[currency]
        if total != between:
            self.breach(
                f"{currency}: balances {self._sums[currency]} and {self._flying[currency]} in "
                f"flight sum to {total} after a posting on {stream}, not to {between}"
            )

    def _pair(self, stream: UUID, fact: Event) -> None:
        """Match the two sides of what crosses the border."""
        half, self._half = self._half, None
        match fact:
            case MoneyEntered(posting_id=posting, amount=amount):
                other: object = (posting, fact.currency, amount)
            case MoneyLeft(posting_id=posting, amount=amount):
                other = (posting, fact.currency, -amount)
            case _:
                other = None
        if half != other:
            self.breach(f"{fact.TOPIC} on {stream}: one side is {half}, the other {other}")
        match fact:
            case MoneyDeposited(deposit_id=posting, amount=amount):
                self._half = (posting, fact.currency, amount)
            case MoneyWithdrawn(withdrawal_id=posting, amount=amount):
                self._half = (posting, fact.currency, -amount)

    def breaches(self) -> list[str]:
        """Return the breaches; money that came in by one side only is one at the end."""
        unpaired = [f"posting {self._half[0]} has one side only"] if self._half else []
        return [*self._breaches, *unpaired]


class BalancesFollow(Watcher):
    """A posting's balance is the one before it and its amount, and never below the credit limit.

    An account is closed with nothing on it and takes no posting after that.
    """

    name = "balances follow from postings"

    def __init__(self) -> None:
        super().__init__()
        self._balances: dict[UUID, int] = {}
        self._limits: dict[UUID, int] = {}
        self._closed: set[UUID] = set()

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        before = self._balances.get(stream, 0)
        match fact:
            case AccountOpened(credit_limit=limit):
                self._limits[stream] = limit
            case AccountClosed():
                self._closed.add(stream)
                if before:
                    self.breach(f"account {stream} is closed with {before} on it")
            case (
                MoneyDeposited()
                | AccountCredited()
                | AccountRefunded()
                | MoneyWithdrawn()
                | AccountDebited()
            ):
                self._post(stream, fact, before)
            case MoneyEntered(amount=amount) if fact.balance != before - amount:
                self.breach(f"external {stream}: {before} - {amount} is not {fact.balance}")
            case MoneyLeft(amount=amount) if fact.balance != before + amount:
                self.breach(f"external {stream}: {before} + {amount} is not {fact.balance}")
        if isinstance(fact, OnAccount | MoneyEntered | MoneyLeft):
            self._balances[stream] = fact.balance

    def _post(self, stream: UUID, fact: OnAccount, before: int) -> None:
        change = fact.amount if isinstance(fact, Coming) else -fact.amount
        if fact.balance != before + change:
            self.breach(f"account {stream}: {before} and {change} is not {fact.balance}")
        if fact.balance < -self._limits.get(stream, 0):
            self.breach(f"account {stream}: {fact.balance} is beyond its credit limit")
        if stream in self._closed or stream not in self._limits:
            self.breach(f"account {stream}: {fact.TOPIC} while it is not open")


class HoldsResolveOnce(Watcher):
    """A hold is resolved once: drawn on for no more than it keeps, released, or expired."""

    name = "holds resolve once"

    def __init__(self) -> None:
        super().__init__()
        self._holds: dict[tuple[UUID, UUID], int] = {}
        self._open: Counter[UUID] = Counter()

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case HoldPlaced(hold_id=hold, amount=amount):
                if (stream, hold) in self._holds:
                    self.breach(f"account {stream}: hold {hold} is placed twice")
                self._holds[stream, hold] = amount
                self._open[stream] += 1
            case HoldReleased(hold_id=hold) | HoldExpired(hold_id=hold):
                self._resolve(stream, hold, fact.amount, fact.amount)
            case AccountDebited(hold_id=UUID() as hold):
                self._resolve(stream, hold, fact.held, fact.amount)
            case AccountClosed() if self._open[stream]:
                self.breach(f"account {stream} is closed with {self._open[stream]} holds")

    def _resolve(self, stream: UUID, hold: UUID, held: int, taken: int) -> None:
        kept = self._holds.pop((stream, hold), None)
        if kept is None:
            self.breach(f"account {stream}: hold {hold} is resolved and was not there")
            return
        self._open[stream] -= 1
        if kept != held or taken > kept:
            self.breach(f"account {stream}: hold {hold} kept {kept}, said {held}, gave {taken}")


class TransfersEnd(Watcher):
    """A transfer that completed has arrived; one that failed left nothing on the way."""

    name = "transfers end completely"

    def __init__(self) -> None:
        super().__init__()
        self._debited: set[UUID] = set()
        self._credited: set[UUID] = set()
        self._ended: set[UUID] = set()

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in. A transfer's facts are on the stream of its id."""
        match fact:
            case AccountDebited(transfer_id=transfer):
                self._debited.add(transfer)
                if transfer in self._ended:
                    self.breach(f"transfer {transfer} is debited after its end")
            case AccountCredited(transfer_id=transfer):
                self._debited.discard(transfer)
                self._credited.add(transfer)
            case AccountRefunded(transfer_id=transfer):
                self._debited.discard(transfer)
            case TransferCompleted():
                self._end(stream)
                if stream not in self._credited:
                    self.breach(f"transfer {stream} completed and its money never arrived")
            case TransferFailed():
                self._end(stream)
                if stream in self._debited or stream in self._credited:
                    self.breach(f"transfer {stream} failed and its money is not back")

    def _end(self, transfer: UUID) -> None:
        if transfer in self._ended:
            self.breach(f"transfer {transfer} ends twice")
        self._ended.add(transfer)


class NumbersUnique(Watcher):
    """No two accounts have one number, and each number is claimed for the account that has it."""

    name = "account numbers are unique"

    def __init__(self) -> None:
        super().__init__()
        self._opened: dict[str, UUID] = {}
        self._claimed: dict[str, UUID] = {}

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in; the claim comes right after the opening."""
        match fact:
            case AccountOpened(number=number):
                if number in self._opened:
                    self.breach(f"number {number} is that of {self._opened[number]} and {stream}")
                self._opened[number] = stream
            case NumberClaimed(number=number, account_id=account):
                if number in self._claimed:
                    self.breach(f"number {number} is claimed twice")
                self._claimed[number] = account
                if self._opened.get(number) != account:
                    self.breach(f"number {number} is claimed for {account}, which has another")
