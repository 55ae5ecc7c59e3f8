"""Every rule that fired, on which transfer."""

from uuid import UUID

from sqlalchemy import BigInteger, Column, select

from domain import Envelope, Event
from domain.banking.risk import MAX_RULES, TransferAssessed
from projections import Changes, Listing, moment, money, ref, table, text

flags = table(
    "risk_flags",
    # The assessment's position and the rule's turn in it.
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    ref("transfer_id", index=True),
    ref("account_id", index=True),
    text("rule"),
    text("severity"),
    text("detail"),
    text("rules_version"),
    money("amount"),
    text("currency"),
    moment("assessed_at"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Add a row per rule that fired."""
    match fact:
        case TransferAssessed():
            for turn, rule in enumerate(fact.fired):
                rows.insert(
                    flags,
                    place=at.position * MAX_RULES + turn,
                    transfer_id=fact.transfer_id,
                    account_id=fact.account_id,
                    rule=rule.name,
                    severity=rule.severity,
                    detail=rule.detail,
                    rules_version=fact.rules_version,
                    amount=fact.amount,
                    currency=fact.currency,
                    assessed_at=at.time,
                )


def risk_flags(account_id: UUID | None = None) -> Listing:
    """Rules that fired, on transfers from one account or from all; the latest first."""
    rows = select(flags)
    if account_id is not None:
        rows = rows.where(flags.c.account_id == account_id)
    return Listing(rows, by=(flags.c.place,), descending=True)
