"""An account's statement: a line per posting, with the balance it leaves."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Select,
    and_,
    false,
    func,
    select,
    true,
)

from domain import Envelope, Event
from domain.banking.account import AccountOpened
from domain.banking.posting import (
    AccountCredited,
    AccountDebited,
    AccountRefunded,
    MoneyDeposited,
    MoneyWithdrawn,
)
from projections import Changes, Listing, moment, money, ref, table, text

OPENING = "opening"
"""The kind of the first line, of nothing: from it on the account has a balance."""

lines = table(
    "statement_lines",
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    ref("account_id"),
    text("kind"),
    # The deposit, withdrawal or transfer that it belongs to.
    ref("posting_id", nullable=True),
    money("amount"),
    text("currency"),
    money("balance"),
    # Where the money came from or went to, or why it came back.
    text("detail", nullable=True),
    moment("posted_at"),
    Index("statement_lines_account", "account_id", "position"),
    history="position",
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Add a line per posting."""
    match fact:
        case AccountOpened():
            line = _line(OPENING, None, 0)
            rows.insert(lines, **line, **_place(at), currency=fact.currency, balance=0)
            return
        case MoneyDeposited():
            line = _line("deposit", fact.deposit_id, fact.amount, fact.source)
        case MoneyWithdrawn():
            line = _line("withdrawal", fact.withdrawal_id, -fact.amount, fact.target)
        case AccountDebited():
            line = _line("transfer_out", fact.transfer_id, -fact.amount)
        case AccountCredited():
            line = _line("transfer_in", fact.transfer_id, fact.amount)
        case AccountRefunded():
            line = _line("refund", fact.transfer_id, fact.amount, fact.reason)
        case _:
            return
    rows.insert(lines, **line, **_place(at), currency=fact.currency, balance=fact.balance)


def _line(
    kind: str, posting_id: UUID | None, amount: int, detail: str | None = None
) -> dict[str, object]:
    return {"kind": kind, "posting_id": posting_id, "amount": amount, "detail": detail}


def _place(at: Envelope) -> dict[str, object]:
    return {"position": at.position, "account_id": at.stream, "posted_at": at.time}


def statement(
    account_id: UUID, since: datetime | None = None, until: datetime | None = None
) -> Listing:
    """Statement lines from `since` on and before `until`, the first one first."""
    rows = select(lines).where(lines.c.account_id == account_id, _between(since, until))
    return Listing(rows, by=(lines.c.position,))


def totals(
    account_id: UUID, since: datetime | None = None, until: datetime | None = None
) -> Select[Any]:
    """Balance before `since`, sums of what came and went until `until`, and balance then."""
    first = lines.alias("opening_line")
    within = and_(lines.c.account_id == account_id, _between(since, until))
    opening = _last_balance(account_id, lines.c.posted_at < since if since else false())
    found = (
        select(
            first.c.account_id,
            first.c.currency,
            func.coalesce(opening, 0).label("opening"),
            _sum(within, lines.c.amount > 0).label("credits"),
            _sum(within, lines.c.amount < 0).label("debits"),
            func.coalesce(_last_balance(account_id, _between(None, until)), 0).label("closing"),
        )
        .where(first.c.account_id == account_id, first.c.kind == OPENING)
        .subquery()
    )
    shown: list[Column[Any]] = [ref("account_id"), text("currency")]
    shown += [money(name) for name in ("opening", "credits", "debits", "closing")]
    return select(*shown).select_from(found)


def balance(account_id: UUID, at: datetime | None = None) -> Select[Any]:
    """The balance an account had at a time, or has now: that of the last line until then."""
    until = lines.c.posted_at <= at if at else true()
    return (
        select(lines.c.account_id, lines.c.currency, lines.c.balance, lines.c.posted_at)
        .where(lines.c.account_id == account_id, until)
        .order_by(lines.c.position.desc())
    )


def _between(since: datetime | None, until: datetime | None) -> ColumnElement[bool]:
    from_then = lines.c.posted_at >= since if since else true()
    before = lines.c.posted_at < until if until else true()
    return and_(from_then, before)


def _last_balance(account_id: UUID, then: ColumnElement[bool]) -> Any:
    return (
        select(lines.c.balance)
        .where(lines.c.account_id == account_id, then)
        .order_by(lines.c.position.desc())
        .limit(1)
        .scalar_subquery()
    )


def _sum(*conditions: ColumnElement[bool]) -> Any:
    total = func.coalesce(func.sum(lines.c.amount), 0)
    return select(total).where(*conditions).scalar_subquery()
