"""External accounts: the named places outside the bank that money comes from and goes to.

Each is kept in parts, one for each customer account: were it one stream, all deposits in one
currency would meet there and wait for each other, in whichever process they are decided.
"""

from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID, uuid5

from domain import Event, Refused, State
from domain.banking.posting import MoneyDeposited, MoneyWithdrawn

EXTERNALS = UUID("4b1d3f0e-9d0a-4f83-8a58-0f5be7a2c6d4")
"""Namespace of the external accounts' stream ids."""
MAX_OUTSIDE = 10**18
"""How far from zero a part may go, in minor units; a 64-bit column holds it."""

MAX_IDS = 50_000
"""Parts whose ids are remembered; each is a digest, which costs as much as a decision."""


class MoneyEntered(Event, frozen=True):
    """Money came into the bank: the other side of a deposit."""

    TOPIC = "banking.external.money_entered"
    posting_id: UUID
    account_id: UUID
    name: str
    currency: str
    amount: int
    balance: int
    """What this part holds of the bank's money: below zero by all that came in."""


class MoneyLeft(Event, frozen=True):
    """Money went out of the bank: the other side of a withdrawal."""

    TOPIC = "banking.external.money_left"
    posting_id: UUID
    account_id: UUID
    name: str
    currency: str
    amount: int
    balance: int


class ExternalLimit(Refused, code="external_limit"):
    """More money would have crossed the border than a part can count."""


class External(State, frozen=True):
    """The part of an external account, in one currency, that faces one customer account.

    It remembers nothing but its balance. Whether a posting is a repeat, the customer's account
    knows; this side mirrors what that one decided.
    """

    KIND = "banking.external"
    balance: int = 0

    def mirror(self, account_id: UUID, posted: Iterable[Event]) -> list[Event]:
        """Return the other side of what was just posted on an account.

        Raises `ExternalLimit`.
        """
        facts: list[Event] = []
        balance = self.balance
        for fact in posted:
            match fact:
                case MoneyDeposited(deposit_id=id, source=name, currency=currency, amount=amount):
                    balance -= amount
                    facts.append(
                        MoneyEntered(
                            posting_id=id,
                            account_id=account_id,
                            name=name,
                            currency=currency,
                            amount=amount,
                            balance=balance,
                        )
                    )
                case MoneyWithdrawn(
                    withdrawal_id=id, target=name, currency=currency, amount=amount
                ):
                    balance += amount
                    facts.append(
                        MoneyLeft(
                            posting_id=id,
                            account_id=account_id,
                            name=name,
                            currency=currency,
                            amount=amount,
                            balance=balance,
                        )
                    )
        if abs(balance) > MAX_OUTSIDE:
            raise ExternalLimit(f"a balance of {balance} is more than {MAX_OUTSIDE} from zero")
        return facts

    def evolve(self, event: Event) -> "External":
        """Keep the balance."""
        match event:
            case MoneyEntered(balance=balance) | MoneyLeft(balance=balance):
                return External(balance=balance)
        return self


@lru_cache(MAX_IDS)
def external_id(name: str, currency: str, account_id: UUID) -> UUID:
    """Return the stream of the part of external account `name` that faces `account_id`."""
    return uuid5(EXTERNALS, f"{name}:{currency}:{account_id}")
