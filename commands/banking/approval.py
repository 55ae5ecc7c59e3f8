"""Deciding on flagged transfers, and the steps that lead there."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from commands import Caller, Clock, Log, Name, Receipt, command, handles
from domain.banking.account import Account
from domain.banking.risk import MAX_RULES
from domain.banking.transfer import Transfer


@command
class FlagTransfer:
    """Put a transfer before somebody."""

    transfer_id: UUID
    severity: Name
    rules: Annotated[tuple[Name, ...], Field(max_length=MAX_RULES)]


@command
class AwaitApproval:
    """Begin to wait for a decision: the money is held."""

    transfer_id: UUID
    hold_id: UUID


@command
class ApproveTransfer:
    """Let a waiting transfer pass. The caller has no part in it."""

    transfer_id: UUID


@command
class RejectTransfer:
    """Stop a waiting transfer. The caller has no part in it."""

    transfer_id: UUID
    reason: Name


@command
class ExpireApproval:
    """Cease to wait: nobody decided in time."""

    transfer_id: UUID


@handles(FlagTransfer, step=True)
async def flag_transfer(c: FlagTransfer, log: Log) -> Receipt:
    """Flag once."""
    return await log.change(Transfer, c.transfer_id, lambda t: t.flag(c.severity, c.rules))


@handles(AwaitApproval, step=True)
async def await_approval(c: AwaitApproval, log: Log) -> Receipt:
    """Begin to wait once."""
    return await log.change(Transfer, c.transfer_id, lambda t: t.await_approval(c.hold_id))


@handles(ApproveTransfer)
async def approve_transfer(c: ApproveTransfer, log: Log, clock: Clock, by: Caller) -> Receipt:
    """Decide once."""
    now = clock.now()
    holder = await _holder(log, c.transfer_id)
    return await log.change(Transfer, c.transfer_id, lambda t: t.approve(by.actor, holder, now))


@handles(RejectTransfer)
async def reject_transfer(c: RejectTransfer, log: Log, by: Caller) -> Receipt:
    """Decide once."""
    holder = await _holder(log, c.transfer_id)
    return await log.change(Transfer, c.transfer_id, lambda t: t.reject(by.actor, holder, c.reason))


@handles(ExpireApproval, step=True)
async def expire_approval(c: ExpireApproval, log: Log) -> Receipt:
    """Expire once."""
    return await log.change(Transfer, c.transfer_id, lambda t: t.expire_approval())


async def _holder(log: Log, transfer_id: UUID) -> str:
    """Return whose money the transfer moves. An account never changes hands."""
    transfer = await log.load(Transfer, transfer_id)
    transfer.require_known()
    return str((await log.load(Account, transfer.source)).holder_id)
