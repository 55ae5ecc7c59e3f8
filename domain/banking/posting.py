"""Postings: the facts by which money moves on an account; each says the balance it leaves."""

from uuid import UUID

from domain import Event


class MoneyDeposited(Event, frozen=True):
    """Money came in from the external account `source`."""

    TOPIC = "banking.account.money_deposited"
    deposit_id: UUID
    amount: int
    currency: str
    balance: int
    source: str


class MoneyWithdrawn(Event, frozen=True):
    """Money went out to the external account `target`."""

    TOPIC = "banking.account.money_withdrawn"
    withdrawal_id: UUID
    amount: int
    currency: str
    balance: int
    target: str


class AccountDebited(Event, frozen=True):
    """A transfer took its money; from here on it is in flight."""

    TOPIC = "banking.account.debited"
    transfer_id: UUID
    amount: int
    currency: str
    balance: int
    hold_id: UUID | None = None
    """The hold it drew on, which is resolved by this."""
    held: int = 0
    """What that hold had kept: `amount` of it was taken, the rest is available again."""


class DebitRefused(Event, frozen=True):
    """A transfer got no money; `reason` is the code of the rule that said no."""

    TOPIC = "banking.account.debit_refused"
    transfer_id: UUID
    reason: str


class AccountCredited(Event, frozen=True):
    """A transfer's money arrived; it is no longer in flight."""

    TOPIC = "banking.account.credited"
    transfer_id: UUID
    amount: int
    currency: str
    balance: int


class CreditRefused(Event, frozen=True):
    """A transfer's money was turned away; `reason` is the code of the rule that said no."""

    TOPIC = "banking.account.credit_refused"
    transfer_id: UUID
    reason: str


class AccountRefunded(Event, frozen=True):
    """A transfer's money came back to where it was debited."""

    TOPIC = "banking.account.refunded"
    transfer_id: UUID
    amount: int
    currency: str
    balance: int
    reason: str


class DebitSettled(Event, frozen=True):
    """A transfer's money arrived elsewhere; no refund of this debit can follow."""

    TOPIC = "banking.account.debit_settled"
    transfer_id: UUID
