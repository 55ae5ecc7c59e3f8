"""The external accounts: what the outside holds of the bank's money."""

from sqlalchemy import BigInteger, func, select

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
    """Keep one row for each part of an external account; its first posting makes it."""
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
    part = external_accounts.c
    whole = (
        select(
            part.name,
            part.currency,
            func.sum(part.balance).label("balance"),
            func.sum(part.version, type_=BigInteger).label("postings"),
            func.min(part.position).label("position"),
        )
        .group_by(part.name, part.currency)
        .subquery()
    )
    return Listing(select(whole), by=(whole.c.position,))
