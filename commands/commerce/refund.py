"""What can be asked of the refunds of a payment."""

from typing import Literal
from uuid import UUID

from commands import Currency, Ids, Log, Positive, Receipt, Text, command, handles
from commands.commerce.payment import Gateway
from domain import Money
from domain.commerce.gateway import Answer, Outcome, PaymentMethod
from domain.commerce.payment import Payment
from domain.commerce.refund import Refund, refund_id


@command
class RefundPayment:
    """Send a part of the captured money back. The same `request_id` does so once."""

    payment_id: UUID
    amount: Positive
    reason: Text = ""
    request_id: UUID | None = None


@command
class RefundUpTo:
    """Send back `amount`, or all that is left when that is less or no amount is given."""

    payment_id: UUID
    refund_id: UUID
    amount: Positive | None = None
    reason: Text


@command
class OpenRefund:
    """Begin to send the money of a refund back."""

    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    method: Literal["card", "wallet"]
    account_id: UUID | None = None
    merchant_account_id: UUID | None = None
    amount: Positive
    currency: Currency


@command
class RefundCard:
    """Ask the acquirer to send the money of a refund back, or ask again for an answer."""

    payment_id: UUID
    refund_id: UUID


@command
class SettleRefund:
    """The answer to a refund from whoever moves the money."""

    payment_id: UUID
    refund_id: UUID
    approved: bool
    reason: Text = ""


@handles(RefundPayment)
async def refund_payment(c: RefundPayment, log: Log, ids: Ids) -> Receipt:
    """Request it."""
    # A wallet's refund is a transfer under this id: nobody may choose one that is in use.
    id = refund_id(c.payment_id, str(c.request_id or ids.new()))
    return await log.change(
        Payment, c.payment_id, lambda payment: payment.refund(id, c.amount, c.reason)
    )


@handles(RefundUpTo, step=True)
async def refund_up_to(c: RefundUpTo, log: Log) -> Receipt:
    """Request what can be refunded."""
    return await log.change(
        Payment, c.payment_id, lambda payment: payment.refund_up_to(c.refund_id, c.amount, c.reason)
    )


@handles(OpenRefund, step=True)
async def open_refund(c: OpenRefund, log: Log) -> Receipt:
    """Open it."""
    method = PaymentMethod(
        kind=c.method, account_id=c.account_id, merchant_account_id=c.merchant_account_id
    )
    amount = Money(c.amount, c.currency)
    return await log.change(
        Refund, c.refund_id, lambda refund: refund.open(c.payment_id, c.order_id, amount, method)
    )


@handles(RefundCard)
async def refund_card(c: RefundCard, log: Log, gateway: Gateway) -> Receipt:
    """Ask the acquirer and note what it says."""
    payment = await log.load(Payment, c.payment_id)
    part = payment.refunds.parts.get(c.refund_id)
    if part is None or part.status != "pending" or not payment.method.is_card:
        return await log.change(Payment, c.payment_id, lambda _payment: [])
    amount = Money(part.amount, payment.amount.currency)
    answer = await gateway.refund(payment.reference, str(c.refund_id), amount)
    return await log.change(Payment, c.payment_id, lambda p: p.note_refund(c.refund_id, answer))


@handles(SettleRefund, step=True)
async def settle_refund(c: SettleRefund, log: Log) -> Receipt:
    """Note it."""
    answer = Answer(Outcome.APPROVED if c.approved else Outcome.DECLINED, c.reason)
    return await log.change(Payment, c.payment_id, lambda p: p.note_refund(c.refund_id, answer))
