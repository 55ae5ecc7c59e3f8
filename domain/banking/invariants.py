"""What must hold over the whole log of the bank, watched fact by fact."""

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
    only there, the amount of the first side is on its way too. A sum that is off is told where it
    comes about, and again where it changes.
    """

    name = "money is conserved"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        between = self._pair(stream, fact)
        match fact:
            case AccountDebited(transfer_id=transfer):
                if self.knows("in flight", transfer):
                    self.breach(f"account {stream}: transfer {transfer} is debited twice")
                self.keep(f"{fact.currency} {fact.amount}", "in flight", transfer)
                self.add(fact.amount, "flying", fact.currency)
            case AccountCredited(transfer_id=transfer) | AccountRefunded(transfer_id=transfer):
                came, flew = f"{fact.currency} {fact.amount}", self.text("in flight", transfer)
                if flew != came:
                    self.breach(f"account {stream}: transfer {transfer} brings {came}, not {flew}")
                self.forget("in flight", transfer)
                self.add(-fact.amount, "flying", fact.currency)
        if isinstance(fact, OnAccount | MoneyEntered | MoneyLeft):
            self._balance(stream, fact.currency, fact.balance, between)

    def _balance(self, stream: UUID, currency: str, balance: int, between: int) -> None:
        before = self.number("balance", stream)
        self.keep(balance, "balance", stream)
        balances, flying = (
            self.add(balance - before, "sum", currency),
            self.number("flying", currency),
        )
        off = balances + flying - between
        if off != self.number("off", currency):
            self.breach(
                f"{currency}: balances {balances} and {flying} in flight sum to "
                f"{balances + flying} after a posting on {stream}, not to {between}"
            )
        self.add(off - self.number("off", currency), "off", currency)

    def _pair(self, stream: UUID, fact: Event) -> int:
        """Match the two sides of what crosses the border; return what is between them now."""
        half = self.text("half")
        match fact:
            case MoneyEntered(posting_id=posting, amount=amount):
                other: str | None = f"{posting} {fact.currency} {amount}"
            case MoneyLeft(posting_id=posting, amount=amount):
                other = f"{posting} {fact.currency} {-amount}"
            case _:
                other = None
        if half != other:
            self.breach(f"{fact.TOPIC} on {stream}: one side is {half}, the other {other}")
        if half is not None:
            self.forget("half")
        match fact:
            case MoneyDeposited(deposit_id=posting, amount=amount):
                self.keep(f"{posting} {fact.currency} {amount}", "half")
                return amount
            case MoneyWithdrawn(withdrawal_id=posting, amount=amount):
                self.keep(f"{posting} {fact.currency} {-amount}", "half")
                return -amount
        return 0

    def unfinished(self) -> list[str]:
        """Return money that came in by one side only, so far."""
        half = self.text("half")
        return [f"posting {half} has one side only"] if half else []


class BalancesFollow(Watcher):
    """A posting's balance is the one before it and its amount, and never below the credit limit.

    An account is closed with nothing on it and takes no posting after that.
    """

    name = "balances follow from postings"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case AccountOpened(credit_limit=limit):
                self.keep(limit, "limit", stream)
            case AccountClosed():
                self.keep(1, "closed", stream)
                if before := self.number("balance", stream):
                    self.breach(f"account {stream} is closed with {before} on it")
            case (
                MoneyDeposited()
                | AccountCredited()
                | AccountRefunded()
                | MoneyWithdrawn()
                | AccountDebited()
            ):
                change = fact.amount if isinstance(fact, Coming) else -fact.amount
                self._follow(f"account {stream}", stream, change, fact.balance)
                self._require_open(stream, fact)
            case MoneyEntered(amount=amount):
                self._follow(f"external {stream}", stream, -amount, fact.balance)
            case MoneyLeft(amount=amount):
                self._follow(f"external {stream}", stream, amount, fact.balance)

    def _follow(self, what: str, stream: UUID, change: int, balance: int) -> None:
        before = self.number("balance", stream)
        if balance != before + change:
            self.breach(f"{what}: {before} and {change} is not {balance}")
        self.keep(balance, "balance", stream)

    def _require_open(self, stream: UUID, fact: OnAccount) -> None:
        if fact.balance < -self.number("limit", stream):
            self.breach(f"account {stream}: {fact.balance} is beyond its credit limit")
        if self.knows("closed", stream) or not self.knows("limit", stream):
            self.breach(f"account {stream}: {fact.TOPIC} while it is not open")


class HoldsResolveOnce(Watcher):
    """A hold is resolved once: drawn on for no more than it keeps, released, or expired."""

    name = "holds resolve once"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case HoldPlaced(hold_id=hold, amount=amount):
                if self.knows("hold", stream, hold):
                    self.breach(f"account {stream}: hold {hold} is placed twice")
                self.keep(amount, "hold", stream, hold)
                self.add(1, "open", stream)
            case HoldReleased(hold_id=hold) | HoldExpired(hold_id=hold):
                self._resolve(stream, hold, fact.amount, fact.amount)
            case AccountDebited(hold_id=UUID() as hold):
                self._resolve(stream, hold, fact.held, fact.amount)
            case AccountClosed() if holds := self.number("open", stream):
                self.breach(f"account {stream} is closed with {holds} holds")

    def _resolve(self, stream: UUID, hold: UUID, held: int, taken: int) -> None:
        if not self.knows("hold", stream, hold):
            self.breach(f"account {stream}: hold {hold} is resolved and was not there")
            return
        kept = self.number("hold", stream, hold)
        self.forget("hold", stream, hold)
        self.add(-1, "open", stream)
        if kept != held or taken > kept:
            self.breach(f"account {stream}: hold {hold} kept {kept}, said {held}, gave {taken}")


class TransfersEnd(Watcher):
    """A transfer that completed has arrived; one that failed left nothing on the way."""

    name = "transfers end completely"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in. A transfer's facts are on the stream of its id."""
        match fact:
            case AccountDebited(transfer_id=transfer):
                self.keep(1, "debited", transfer)
                if self.knows("ended", transfer):
                    self.breach(f"transfer {transfer} is debited after its end")
            case AccountCredited(transfer_id=transfer):
                self.forget("debited", transfer)
                self.keep(1, "credited", transfer)
            case AccountRefunded(transfer_id=transfer):
                self.forget("debited", transfer)
            case TransferCompleted():
                self._end(stream)
                if not self.knows("credited", stream):
                    self.breach(f"transfer {stream} completed and its money never arrived")
            case TransferFailed():
                self._end(stream)
                if self.knows("debited", stream) or self.knows("credited", stream):
                    self.breach(f"transfer {stream} failed and its money is not back")

    def _end(self, transfer: UUID) -> None:
        if self.knows("ended", transfer):
            self.breach(f"transfer {transfer} ends twice")
        self.keep(1, "ended", transfer)


class NumbersUnique(Watcher):
    """No two accounts have one number, and each number is claimed for the account that has it."""

    name = "account numbers are unique"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in; the claim comes right after the opening."""
        match fact:
            case AccountOpened(number=number):
                if other := self.text("opened", number):
                    self.breach(f"number {number} is that of {other} and {stream}")
                self.keep(str(stream), "opened", number)
            case NumberClaimed(number=number, account_id=account):
                if self.knows("claimed", number):
                    self.breach(f"number {number} is claimed twice")
                self.keep(1, "claimed", number)
                if self.text("opened", number) != str(account):
                    self.breach(f"number {number} is claimed for {account}, which has another")
