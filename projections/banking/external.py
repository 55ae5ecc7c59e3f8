"""The external accounts: what the outside holds of the bank's money."""

from sqlalchemy import select

from domain import Envelope, Event
from domain.banking.external import MoneyEntered, MoneyLeft
from projections import Changes, Listing, count, key, money, table, text

external_accounts = table(
    "external_accounts",
    key(),
    text("name"),
    text("currency"),
    money("balance"),
    count("position"),
    count("version"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep one row per external account and currency; its first posting makes it."""
    match fact:
        case MoneyEntered() | MoneyLeft():
            if at.version == 1:
                rows.insert(
                    external_accounts,
                    id=at.stream,
                    name=fact.name,
                    currency=fact.currency,
                    balance=fact.balance,
                    position=at.position,
                    version=at.version,
                )
            else:
                rows.update(external_accounts, at.stream, balance=fact.balance, version=at.version)


def externals() -> Listing:
    """All external accounts. With all accounts and what is in flight they sum to zero."""
    return Listing(select(external_accounts), by=(external_accounts.c.position,))
