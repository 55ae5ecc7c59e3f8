"""What waits for somebody's approval."""

from sqlalchemy import select

from domain.banking.transfer import Status
from projections import Listing
from projections.banking.transfer import transfers


def approvals() -> Listing:
    """Transfers that wait for approval, the longest waiting first."""
    rows = select(transfers).where(transfers.c.status == Status.WAITING.value)
    return Listing(rows, by=(transfers.c.position,))
