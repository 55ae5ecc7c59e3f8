"""What can be asked of an order, by a customer and by its own process."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from commands import (
    Clock,
    Ids,
    Log,
    Name,
    NonNegative,
    Quantity,
    Receipt,
    Text,
    command,
    handles,
    part,
)
from domain.commerce.basket import MAX_LINES, Item
from domain.commerce.gateway import PaymentMethod
from domain.commerce.order import RESERVATION_TTL, Address, Order
from domain.commerce.product import Product

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(examples=["DE"])]
"""An ISO 3166-1 alpha-2 code."""


@part
class LinePart:
    """A product and how many of it."""

    product_id: UUID
    quantity: Quantity


@part
class AddressPart:
    """Where the goods go."""

    recipient: Name
    street: Name
    postcode: Name
    city: Name
    country: Country
    region: Name | None = None


@part
class CardPart:
    """Pay by card, which the acquirer knows by a token."""

    kind: Literal["card"] = "card"
    card_token: Name


@part
class WalletPart:
    """Pay from a banking account. The products say which account the money goes to.

    `merchant_account_id` is the one the buyer expects; another one is refused.
    """

    kind: Literal["wallet"] = "wallet"
    account_id: UUID
    merchant_account_id: UUID | None = None


@command
class PlaceOrder:
    """Order products at the price they have now."""

    order_id: UUID | None = None
    customer_id: UUID
    lines: Annotated[tuple[LinePart, ...], Field(min_length=1, max_length=MAX_LINES)]
    address: AddressPart
    payment: Annotated[CardPart | WalletPart, Field(discriminator="kind")]


@command
class CancelOrder:
    """Cancel a whole order before any of it has left the house."""

    order_id: UUID
    reason: Text = ""


@command
class CancelLine:
    """Cancel some units of a line that have not left the house."""

    order_id: UUID
    product_id: UUID
    quantity: Quantity
    reason: Text = ""
    cancellation_id: UUID | None = None


@command
class NoteReserved:
    """A line of the order is held."""

    order_id: UUID
    product_id: UUID


@command
class NoteCommitted:
    """A line's units are the order's."""

    order_id: UUID
    product_id: UUID


@command
class NoteStockRefused:
    """A line can't be held, or not any longer."""

    order_id: UUID
    product_id: UUID
    reason: Name


@command
class MarkPaid:
    """The money of the order was taken."""

    order_id: UUID
    amount: NonNegative


@command
class FailOrder:
    """Give up an order that is not paid; one that is, or is over already, stays as it is."""

    order_id: UUID
    reason: Text


@command
class NoteDelivered:
    """A shipment of the order arrived."""

    order_id: UUID
    shipment_id: UUID


@handles(PlaceOrder)
async def place_order(c: PlaceOrder, log: Log, ids: Ids, clock: Clock) -> Receipt:
    """Place it, at the prices of now."""
    items = [
        Item(line.product_id, await log.load(Product, line.product_id), line.quantity)
        for line in c.lines
    ]
    a = c.address
    address = Address(
        recipient=a.recipient,
        street=a.street,
        postcode=a.postcode,
        city=a.city,
        country=a.country,
        region=a.region,
    )
    reserve_until = clock.now() + RESERVATION_TTL
    return await log.change(
        Order,
        c.order_id or ids.new(),
        lambda order: order.place(c.customer_id, items, address, _method(c.payment), reserve_until),
    )


@handles(CancelOrder)
async def cancel_order(c: CancelOrder, log: Log) -> Receipt:
    """Cancel it."""
    return await log.change(Order, c.order_id, lambda order: order.cancel(c.reason))


@handles(CancelLine)
async def cancel_line(c: CancelLine, log: Log, ids: Ids) -> Receipt:
    """Cancel a part of it."""
    cancellation_id = c.cancellation_id or ids.new()
    return await log.change(
        Order,
        c.order_id,
        lambda order: order.cancel_line(cancellation_id, c.product_id, c.quantity, c.reason),
    )


@handles(NoteReserved, step=True)
async def note_reserved(c: NoteReserved, log: Log) -> Receipt:
    """Note it."""
    return await log.change(Order, c.order_id, lambda order: order.note_reserved(c.product_id))


@handles(NoteCommitted, step=True)
async def note_committed(c: NoteCommitted, log: Log) -> Receipt:
    """Note it."""
    return await log.change(Order, c.order_id, lambda order: order.note_committed(c.product_id))


@handles(NoteStockRefused, step=True)
async def note_stock_refused(c: NoteStockRefused, log: Log) -> Receipt:
    """Note it."""
    return await log.change(
        Order, c.order_id, lambda order: order.note_refused(c.product_id, c.reason)
    )


@handles(MarkPaid, step=True)
async def mark_paid(c: MarkPaid, log: Log) -> Receipt:
    """Note it."""
    return await log.change(Order, c.order_id, lambda order: order.pay(c.amount))


@handles(FailOrder, step=True)
async def fail_order(c: FailOrder, log: Log) -> Receipt:
    """Give it up."""
    return await log.change(Order, c.order_id, lambda order: order.fail(c.reason))


@handles(NoteDelivered, step=True)
async def note_delivered(c: NoteDelivered, log: Log) -> Receipt:
    """Note it."""
    return await log.change(Order, c.order_id, lambda order: order.note_delivered(c.shipment_id))


def _method(part: CardPart | WalletPart) -> PaymentMethod:
    if isinstance(part, CardPart):
        return PaymentMethod(kind="card", card_token=part.card_token)
    return PaymentMethod(
        kind="wallet", account_id=part.account_id, merchant_account_id=part.merchant_account_id
    )
