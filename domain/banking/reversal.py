"""Reversal: a completed transfer's money moves back, by a transfer of its own."""

from uuid import UUID

from domain import Event, Refused


class ReversalRequested(Event, frozen=True):
    """The transfer `reversal_id` was requested, to move the money back."""

    TOPIC = "banking.transfer.reversal_requested"
    reversal_id: UUID
    reason: str
    requested_by: str


class TransferReversed(Event, frozen=True):
    """The money is back where it came from."""

    TOPIC = "banking.transfer.reversed"
    reversal_id: UUID


class ReversalRefused(Event, frozen=True):
    """The money stays where it is: the transfer back failed for `reason`."""

    TOPIC = "banking.transfer.reversal_refused"
    reversal_id: UUID
    reason: str


class NotReversible(Refused, code="not_reversible"):
    """Only a completed transfer that is not itself a reversal can be reversed."""
