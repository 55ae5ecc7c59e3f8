"""Looking at a transfer before it moves money."""

from uuid import UUID

from commands import Clock, Currency, Log, Positive, Receipt, command, handles
from domain.banking.risk import STANDARD, Risk, risk_id


@command
class AssessTransfer:
    """Apply the rules in force; `held` when the transfer draws on a hold that it was given."""

    account_id: UUID
    transfer_id: UUID
    amount: Positive
    currency: Currency
    held: bool = False


@handles(AssessTransfer, step=True)
async def assess_transfer(c: AssessTransfer, log: Log, clock: Clock) -> Receipt:
    """Assess once."""
    now = clock.now()
    return await log.change(
        Risk,
        risk_id(c.account_id),
        lambda r: r.assess(
            c.transfer_id,
            c.account_id,
            c.amount,
            c.currency,
            held=c.held,
            now=now,
            rules=STANDARD,
        ),
    )
