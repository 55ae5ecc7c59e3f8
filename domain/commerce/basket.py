"""What a customer asks for, at the prices of the moment."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from domain import MAX_AMOUNT, Invalid, Refused
from domain.commerce.line import Line
from domain.commerce.product import Product

MAX_LINES = 100


class OrderTooLarge(Refused, code="order_too_large"):
    """The order costs more than one fact can say."""


class MixedCurrencies(Refused, code="mixed_currencies"):
    """One order has one currency."""


class Item(msgspec.Struct, frozen=True):
    """What a customer asks for: a product as it is now, and how many of it."""

    product_id: UUID
    product: Product
    quantity: int


def priced(items: Sequence[Item]) -> tuple[tuple[Line, ...], str]:
    """Return the lines of an order for `items`, and its currency.

    Raises `Invalid`, `MixedCurrencies`, `OrderTooLarge`, or what a product that is not on sale
    raises.
    """
    for item in items:
        item.product.check_on_sale()
    if len({item.product_id for item in items}) < len(items):
        raise Invalid("a product is on two lines; put it on one line with the whole quantity")
    currencies = sorted({item.product.price.currency for item in items})
    if len(currencies) != 1:
        raise MixedCurrencies(
            f"the products are priced in {', '.join(currencies)}; place one order per currency"
        )
    total = sum(item.quantity * item.product.price.amount for item in items)
    if total > MAX_AMOUNT:
        raise OrderTooLarge(f"the order costs {total}, more than {MAX_AMOUNT}; split it")
    lines = tuple(
        Line(
            product_id=item.product_id,
            quantity=item.quantity,
            unit_price=item.product.price.amount,
            name=item.product.details.name,
        )
        for item in items
    )
    return lines, currencies[0]
