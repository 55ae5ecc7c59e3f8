"""The legs of a transfer: the steps by which its process moves money."""

from datetime import datetime
from uuid import UUID

from commands import Clock, Currency, Log, Positive, Receipt, Text, command, handles
from domain.banking.account import Account


@command
class DebitAccount:
    """Take a transfer's money before a time. The outcome is `AccountDebited` or `DebitRefused`."""

    account_id: UUID
    transfer_id: UUID
    amount: Positive
    currency: Currency
    before: datetime
    hold_id: UUID | None = None
    by_process: bool = False
    """Whether a process requested the transfer: it may draw on a hold that a process placed."""


@command
class CreditAccount:
    """Bring a transfer's money. The outcome is `AccountCredited` or `CreditRefused`."""

    account_id: UUID
    transfer_id: UUID
    amount: Positive
    currency: Currency


@command
class RefundAccount:
    """Bring a transfer's money back to where it was taken; this always succeeds."""

    account_id: UUID
    transfer_id: UUID
    reason: Text


@command
class SettleDebit:
    """Let the paying account forget a debit whose money arrived."""

    account_id: UUID
    transfer_id: UUID


@handles(DebitAccount, step=True)
async def debit_account(c: DebitAccount, log: Log, clock: Clock) -> Receipt:
    """Debit once."""
    now = clock.now()
    return await log.change(
        Account,
        c.account_id,
        lambda a: a.debit(
            c.transfer_id,
            c.amount,
            c.currency,
            now=now,
            before=c.before,
            hold_id=c.hold_id,
            by_process=c.by_process,
        ),
    )


@handles(CreditAccount, step=True)
async def credit_account(c: CreditAccount, log: Log) -> Receipt:
    """Credit once."""
    return await log.change(
        Account, c.account_id, lambda a: a.credit(c.transfer_id, c.amount, c.currency)
    )


@handles(RefundAccount, step=True)
async def refund_account(c: RefundAccount, log: Log) -> Receipt:
    """Refund once."""
    return await log.change(
        Account, c.account_id, lambda a: a.funds.refund(c.transfer_id, c.reason)
    )


@handles(SettleDebit, step=True)
async def settle_debit(c: SettleDebit, log: Log) -> Receipt:
    """Settle once."""
    return await log.change(Account, c.account_id, lambda a: a.funds.settle(c.transfer_id))
