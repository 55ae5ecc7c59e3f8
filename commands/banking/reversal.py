"""Moving a completed transfer's money back."""

from uuid import UUID

from commands import Caller, Change, ChosenId, Ids, Log, Name, Receipt, Text, command, handles
from domain import Event
from domain.banking.transfer import Transfer


@command
class ReverseTransfer:
    """Move the money back, by a transfer of its own; when that fails, the first one stands."""

    transfer_id: UUID
    reason: Name
    reversal_id: ChosenId | None = None


@command
class CompleteReversal:
    """Record that the money is back."""

    transfer_id: UUID
    reversal_id: UUID


@command
class RefuseReversal:
    """Record that the money stays."""

    transfer_id: UUID
    reversal_id: UUID
    reason: Text


@handles(ReverseTransfer)
async def reverse_transfer(c: ReverseTransfer, log: Log, ids: Ids, by: Caller) -> Receipt:
    """Ask for the reversal and request the transfer back, in one append."""
    reversal_id = c.reversal_id or ids.new()
    actor = by.actor
    original = await log.load(Transfer, c.transfer_id)
    asked: list[Event] = []

    def reversing(transfer: Transfer) -> list[Event]:
        asked[:] = transfer.reverse(reversal_id, actor, c.reason)
        return asked

    def requesting(reversal: Transfer) -> list[Event]:
        # A reversal that is under way already has its transfer.
        if not asked:
            return []
        return reversal.request_back(original.back(c.transfer_id, actor, c.reason))

    return await log.change_all(
        Change(Transfer, c.transfer_id, reversing), Change(Transfer, reversal_id, requesting)
    )


@handles(CompleteReversal, step=True)
async def complete_reversal(c: CompleteReversal, log: Log) -> Receipt:
    """Record it once."""
    return await log.change(Transfer, c.transfer_id, lambda t: t.complete_reversal(c.reversal_id))


@handles(RefuseReversal, step=True)
async def refuse_reversal(c: RefuseReversal, log: Log) -> Receipt:
    """Record it once."""
    return await log.change(
        Transfer, c.transfer_id, lambda t: t.refuse_reversal(c.reversal_id, c.reason)
    )
