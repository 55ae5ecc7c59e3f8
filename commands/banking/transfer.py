"""Requesting transfers, and the steps by which their process begins and ends them."""

from uuid import UUID

from commands import (
    Caller,
    Clock,
    Currency,
    Ids,
    Log,
    Positive,
    Receipt,
    Text,
    command,
    handles,
)
from commands.banking.account import is_account, require_own
from domain.banking.derived import require_chosen
from domain.banking.transfer import Transfer, TransferRequested


@command
class RequestTransfer:
    """Ask for money to be moved. How it ends is a fact: `TransferCompleted`, `TransferFailed`.

    With `hold_id` the money is taken from that hold on the source, whose rest is released.
    """

    transfer_id: UUID | None = None
    source: UUID
    target: UUID
    amount: Positive
    currency: Currency
    hold_id: UUID | None = None
    reference: Text = ""


@command
class ClearTransfer:
    """Let a transfer pass."""

    transfer_id: UUID


@command
class CompleteTransfer:
    """Record that the money arrived."""

    transfer_id: UUID


@command
class FailTransfer:
    """Record that no money moved, or that it came back."""

    transfer_id: UUID
    reason: Text


@command
class TimeOutTransfer:
    """Look at a transfer that should have ended by now."""

    transfer_id: UUID


@handles(RequestTransfer)
async def request_transfer(c: RequestTransfer, log: Log, ids: Ids, by: Caller) -> Receipt:
    """Request it once. Unknown accounts are a reason to fail, not to refuse: a process may ask."""
    transfer_id = c.transfer_id or ids.new()
    require_chosen(transfer_id, by.actor)
    await require_own(log, c.source, by)
    asked = TransferRequested(
        source=c.source,
        target=c.target,
        amount=c.amount,
        currency=c.currency,
        requested_by=by.actor,
        hold_id=c.hold_id,
        reference=c.reference,
        accounts_known=await is_account(log, c.source) and await is_account(log, c.target),
    )
    return await log.change(Transfer, transfer_id, lambda t: t.request(asked))


@handles(ClearTransfer, step=True)
async def clear_transfer(c: ClearTransfer, log: Log, clock: Clock) -> Receipt:
    """Clear it once."""
    now = clock.now()
    return await log.change(Transfer, c.transfer_id, lambda t: t.clear(now))


@handles(CompleteTransfer, step=True)
async def complete_transfer(c: CompleteTransfer, log: Log) -> Receipt:
    """Complete it once."""
    return await log.change(Transfer, c.transfer_id, lambda t: t.complete())


@handles(FailTransfer, step=True)
async def fail_transfer(c: FailTransfer, log: Log) -> Receipt:
    """Fail it once."""
    return await log.change(Transfer, c.transfer_id, lambda t: t.fail(c.reason))


@handles(TimeOutTransfer, step=True)
async def time_out_transfer(c: TimeOutTransfer, log: Log) -> Receipt:
    """Time it out once."""
    return await log.change(Transfer, c.transfer_id, lambda t: t.time_out())
