"""The first half of a payment: money is held for an order, or is free again."""

from uuid import UUID

from domain import Event, Refused


class AnswerMismatch(Refused, code="answer_mismatch"):
    """An answer about an authorisation does not fit what was asked: it changes nothing."""


class AuthorisationPending(Event, frozen=True):
    """No answer yet to the authorisation."""

    TOPIC = "commerce.payment.authorisation_pending"
    order_id: UUID
    attempt: int


class PaymentAuthorised(Event, frozen=True):
    """The money is held for the order."""

    TOPIC = "commerce.payment.authorised"
    order_id: UUID
    amount: int


class PaymentDeclined(Event, frozen=True):
    """The money won't be given; none is held."""

    TOPIC = "commerce.payment.declined"
    order_id: UUID
    reason: str


class AuthorisedTooLate(Event, frozen=True):
    """The money was held when nobody wanted it any more; it is voided."""

    TOPIC = "commerce.payment.authorised_too_late"
    order_id: UUID
    amount: int


class VoidRequested(Event, frozen=True):
    """The order no longer wants the payment, which was not captured: nothing may stay held."""

    TOPIC = "commerce.payment.void_requested"
    order_id: UUID
    reason: str


class VoidPending(Event, frozen=True):
    """The void is not confirmed yet."""

    TOPIC = "commerce.payment.void_pending"
    order_id: UUID
    attempt: int
    reason: str


class PaymentVoided(Event, frozen=True):
    """Nothing is held any more and nothing was taken."""

    TOPIC = "commerce.payment.voided"
    order_id: UUID
