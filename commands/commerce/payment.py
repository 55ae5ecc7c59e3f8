"""What can be asked of a payment, and the acquirer that moves the money of cards."""

from typing import Literal, Protocol
from uuid import UUID

from commands import Caller, Currency, Log, Name, Positive, Receipt, Text, command, handles
from domain import Money
from domain.commerce.gateway import Answer, Outcome, PaymentMethod
from domain.commerce.payment import Payment, PaymentRequested, Status
from domain.commerce.process import require_acquirer


class Gateway(Protocol):
    """The acquirer. It never raises: when it can't be reached the answer is UNKNOWN.

    `reference` names one authorisation, chosen by us. Asking again for the same thing under the
    same reference has no second effect and gets the same answer.
    """

    async def authorise(self, reference: str, card_token: str, amount: Money) -> Answer:
        """Hold `amount` on the card."""
        ...

    async def capture(self, reference: str, amount: Money) -> Answer:
        """Take `amount` of what the authorisation holds, and let go of the rest; once."""
        ...

    async def void(self, reference: str) -> Answer:
        """Undo the authorisation, and its capture if there was one that we don't know about.

        An authorisation that is asked for or answered afterwards holds nothing.
        """
        ...

    async def refund(self, reference: str, refund_reference: str, amount: Money) -> Answer:
        """Send `amount` of what was captured back to the card."""
        ...


@command
class RequestPayment:
    """Ask for the money of an order."""

    payment_id: UUID
    order_id: UUID
    method: Literal["card", "wallet"]
    card_token: Name | None = None
    account_id: UUID | None = None
    merchant_account_id: UUID | None = None
    amount: Positive
    currency: Currency
    payer_id: UUID | None = None


@command
class AuthoriseCard:
    """Ask the acquirer to hold the money, or ask again for an answer."""

    payment_id: UUID


@command
class GiveUpAuthorisation:
    """Wait no longer for an answer to the authorisation."""

    payment_id: UUID


@command
class SettleAuthorisation:
    """An answer to the authorisation, from whoever holds the money; it may come late or twice."""

    payment_id: UUID
    reference: Name
    approved: bool
    amount: Positive
    currency: Currency
    reason: Text = ""


@command
class LapseAuthorisation:
    """The money is held no longer."""

    payment_id: UUID
    reason: Name


@command
class CapturePayment:
    """Take the held money of an order, or a part of it."""

    payment_id: UUID
    amount: Positive


@command
class CaptureCard:
    """Ask the acquirer to take the money, or ask again for an answer."""

    payment_id: UUID


@command
class GiveUpCapture:
    """Wait no longer for an answer to the capture."""

    payment_id: UUID


@command
class SettleCapture:
    """The answer to a capture from whoever holds the money."""

    payment_id: UUID
    approved: bool
    reason: Text = ""


@command
class ReversePayment:
    """Undo a payment wherever it stands: void what is held, refund what was captured."""

    payment_id: UUID
    reason: Text


@command
class VoidCard:
    """Ask the acquirer to undo an authorisation that is not wanted, or ask again."""

    payment_id: UUID


@handles(RequestPayment, step=True)
async def request_payment(c: RequestPayment, log: Log) -> Receipt:
    """Request it under a reference that is its own id."""
    method = PaymentMethod(
        kind=c.method,
        card_token=c.card_token,
        account_id=c.account_id,
        merchant_account_id=c.merchant_account_id,
    )
    asked = PaymentRequested(
        order_id=c.order_id,
        reference=str(c.payment_id),
        method=method,
        amount=Money(c.amount, c.currency),
        payer_id=c.payer_id,
    )
    return await log.change(Payment, c.payment_id, lambda payment: payment.request(asked))


@handles(AuthoriseCard, step=True)
async def authorise_card(c: AuthoriseCard, log: Log, gateway: Gateway) -> Receipt:
    """Ask the acquirer and note what it says; nothing is asked that is not wanted."""
    payment = await log.load(Payment, c.payment_id)
    if payment.status is not Status.REQUESTED or not payment.method.is_card:
        return await log.change(Payment, c.payment_id, lambda _payment: [])
    token = payment.method.card_token or ""
    answer = await gateway.authorise(payment.reference, token, payment.amount)
    return await log.change(Payment, c.payment_id, lambda p: p.note_authorisation(answer))


@handles(GiveUpAuthorisation, step=True)
async def give_up_authorisation(c: GiveUpAuthorisation, log: Log) -> Receipt:
    """Give up."""
    return await log.change(
        Payment, c.payment_id, lambda payment: payment.give_up_authorisation("no_answer")
    )


@handles(SettleAuthorisation)
async def settle_authorisation(c: SettleAuthorisation, log: Log, by: Caller) -> Receipt:
    """Note it, when it fits what was asked."""
    require_acquirer(by.actor)
    amount = Money(c.amount, c.currency)
    return await log.change(
        Payment,
        c.payment_id,
        lambda p: p.settle_authorisation(c.reference, amount, c.approved, c.reason),
    )


@handles(LapseAuthorisation, step=True)
async def lapse_authorisation(c: LapseAuthorisation, log: Log) -> Receipt:
    """Note it."""
    return await log.change(Payment, c.payment_id, lambda payment: payment.lapse(c.reason))


@handles(CapturePayment, step=True)
async def capture_payment(c: CapturePayment, log: Log) -> Receipt:
    """Begin to capture; who captures depends on the method."""
    return await log.change(Payment, c.payment_id, lambda payment: payment.capture(c.amount))


@handles(CaptureCard, step=True)
async def capture_card(c: CaptureCard, log: Log, gateway: Gateway) -> Receipt:
    """Ask the acquirer and note what it says."""
    payment = await log.load(Payment, c.payment_id)
    if payment.status is not Status.CAPTURING or not payment.method.is_card:
        return await log.change(Payment, c.payment_id, lambda _payment: [])
    amount = Money(payment.captured, payment.amount.currency)
    answer = await gateway.capture(payment.reference, amount)
    return await log.change(Payment, c.payment_id, lambda p: p.note_capture(answer))


@handles(GiveUpCapture, step=True)
async def give_up_capture(c: GiveUpCapture, log: Log) -> Receipt:
    """Give up."""
    answer = Answer(Outcome.DECLINED, "no_answer")
    return await log.change(Payment, c.payment_id, lambda payment: payment.note_capture(answer))


@handles(SettleCapture, step=True)
async def settle_capture(c: SettleCapture, log: Log) -> Receipt:
    """Note it."""
    answer = Answer(Outcome.APPROVED if c.approved else Outcome.DECLINED, c.reason)
    return await log.change(Payment, c.payment_id, lambda payment: payment.note_capture(answer))


@handles(ReversePayment, step=True)
async def reverse_payment(c: ReversePayment, log: Log) -> Receipt:
    """Begin to undo it."""
    return await log.change(Payment, c.payment_id, lambda payment: payment.reverse(c.reason))


@handles(VoidCard)
async def void_card(c: VoidCard, log: Log, gateway: Gateway) -> Receipt:
    """Ask the acquirer and note what it says."""
    payment = await log.load(Payment, c.payment_id)
    if payment.status is not Status.VOIDING or not payment.method.is_card:
        return await log.change(Payment, c.payment_id, lambda _payment: [])
    answer = await gateway.void(payment.reference)
    return await log.change(Payment, c.payment_id, lambda p: p.note_void(answer))
