"""The refunds of one payment: asked for, answered, together never more than was captured."""

from collections.abc import Mapping
from uuid import UUID, uuid5

import msgspec

from domain import Event, Money, Refused, State
from domain.commerce.gateway import Answer, Outcome, PaymentMethod

STREAMS = UUID("6d1c0f5e-3b0a-4c0e-9a51-6f2f7a1f3c03")
MAX_REFUNDS = 100
"""Refunds that a person may ask for; those of an order's cancelled lines come on top."""


def refund_id(id: UUID, why: str) -> UUID:
    """Return the stream of the one refund that `id` gets for the reason `why`."""
    return uuid5(STREAMS, f"{id}/{why}")


class RefundTooHigh(Refused, code="refund_too_high"):
    """All refunds together can't exceed what was captured."""


class TooManyRefunds(Refused, code="too_many_refunds"):
    """The payment has been refunded in as many parts as it may."""


class RefundRequested(Event, frozen=True):
    """A part of the captured money is to go back."""

    TOPIC = "commerce.payment.refund_requested"
    order_id: UUID
    refund_id: UUID
    amount: int
    currency: str
    reason: str


class RefundPending(Event, frozen=True):
    """No answer yet to a refund."""

    TOPIC = "commerce.payment.refund_pending"
    order_id: UUID
    refund_id: UUID
    attempt: int


class PaymentRefunded(Event, frozen=True):
    """A part of the captured money is back with the buyer."""

    TOPIC = "commerce.payment.refunded"
    order_id: UUID
    refund_id: UUID
    amount: int


class RefundFailed(Event, frozen=True):
    """A refund did not happen; its amount may be refunded in another way."""

    TOPIC = "commerce.payment.refund_failed"
    order_id: UUID
    refund_id: UUID
    reason: str


class RefundOpened(Event, frozen=True):
    """The way back of the money began: the first fact of the refund's own stream.

    Banking answers by the id of a transfer alone, which is the id of this stream.
    """

    TOPIC = "commerce.refund.opened"
    payment_id: UUID
    order_id: UUID
    amount: Money
    method: PaymentMethod


class Part(msgspec.Struct, frozen=True):
    """One refund in its payment: how much, how far."""

    amount: int
    status: str = "pending"
    attempts: int = 0


class Refunds(msgspec.Struct, frozen=True):
    """All refunds of a payment, and the rules about them."""

    order_id: UUID = UUID(int=0)
    currency: str = ""
    parts: Mapping[UUID, Part] = {}

    @property
    def total(self) -> int:
        """What is refunded or about to be."""
        return sum(part.amount for part in self.parts.values() if part.status != "failed")

    def request(self, refund_id: UUID, amount: int, left: int, reason: str) -> list[Event]:
        """Send back `amount` of the `left` that may be, as a person asks."""
        if refund_id in self.parts:
            return []
        if amount > left:
            raise RefundTooHigh(f"{amount} exceeds the {left} that are left; refund less")
        if len(self.parts) >= MAX_REFUNDS:
            raise TooManyRefunds(f"the payment has {MAX_REFUNDS} refunds already; add no more")
        return self._requested(refund_id, amount, reason)

    def request_up_to(
        self, refund_id: UUID, amount: int | None, left: int, reason: str
    ) -> list[Event]:
        """Send back `amount`, or what is left when that is less or None is said."""
        part = left if amount is None else min(amount, left)
        if refund_id in self.parts or part <= 0:
            return []
        return self._requested(refund_id, part, reason)

    def note(self, refund_id: UUID, answer: Answer) -> list[Event]:
        """Take the answer to a refund."""
        order_id = self.order_id
        part = self.parts.get(refund_id)
        if part is None or part.status != "pending":
            return []
        match answer.outcome:
            case Outcome.APPROVED:
                done = PaymentRefunded(order_id=order_id, refund_id=refund_id, amount=part.amount)
                return [done]
            case Outcome.DECLINED:
                reason = answer.reason
                return [RefundFailed(order_id=order_id, refund_id=refund_id, reason=reason)]
        attempt = part.attempts + 1
        return [RefundPending(order_id=order_id, refund_id=refund_id, attempt=attempt)]

    def evolve(self, event: Event) -> "Refunds":
        """Return the refunds after `event`."""
        match event:
            case RefundRequested(refund_id=id, amount=amount):
                return self._with(id, Part(amount))
            case RefundPending(refund_id=id, attempt=n):
                return self._with(id, Part(self._amount(id), "pending", n))
            case PaymentRefunded(refund_id=id, amount=amount):
                return self._with(id, Part(amount, "done"))
            case RefundFailed(refund_id=id):
                return self._with(id, Part(self._amount(id), "failed"))
        return self

    def _requested(self, refund_id: UUID, amount: int, reason: str) -> list[Event]:
        return [
            RefundRequested(
                order_id=self.order_id,
                refund_id=refund_id,
                amount=amount,
                currency=self.currency,
                reason=reason,
            )
        ]

    def _amount(self, refund_id: UUID) -> int:
        return self.parts.get(refund_id, Part(0)).amount

    def _with(self, refund_id: UUID, part: Part) -> "Refunds":
        return Refunds(self.order_id, self.currency, {**self.parts, refund_id: part})


class Refund(State, frozen=True):
    """One refund on its way: which payment's, over how much, by which method."""

    KIND = "commerce.refund"
    payment_id: UUID | None = None
    order_id: UUID | None = None
    amount: Money = Money(0, "")
    method: PaymentMethod = PaymentMethod(kind="card")

    def open(
        self, payment_id: UUID, order_id: UUID, amount: Money, method: PaymentMethod
    ) -> list[Event]:
        """Begin to send the money back."""
        if self.payment_id is not None:
            return []
        return [
            RefundOpened(payment_id=payment_id, order_id=order_id, amount=amount, method=method)
        ]

    def evolve(self, event: Event) -> "Refund":
        """Return the refund after `event`."""
        match event:
            case RefundOpened(payment_id=payment, order_id=order, amount=amount, method=method):
                return Refund(payment_id=payment, order_id=order, amount=amount, method=method)
        return self
