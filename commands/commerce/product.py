"""What can be asked of the catalogue."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from commands import Currency, Ids, Log, Name, Positive, Receipt, Text, command, handles, part
from domain import Money
from domain.commerce.product import MAX_ATTRIBUTES, MAX_IMAGES, Attribute, Details, Product

MAX_ADDRESS = 2_000

Label = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""A name that may be empty."""
ImageAddress = Annotated[
    str,
    StringConstraints(max_length=MAX_ADDRESS, pattern=r"^https?://[^\x00-\x20\x7f]+$"),
    Field(examples=["https://example.com/spade.jpg"]),
]


@part
class AttributePart:
    """One named property of a product."""

    name: Name
    value: Name


@command
class ListProduct:
    """Offer a product for sale."""

    product_id: UUID | None = None
    name: Name
    description: Text = ""
    category: Label = ""
    brand: Label = ""
    sku: Name | None = None
    attributes: Annotated[tuple[AttributePart, ...], Field(max_length=MAX_ATTRIBUTES)] = ()
    images: Annotated[tuple[ImageAddress, ...], Field(max_length=MAX_IMAGES)] = ()
    price: Positive
    currency: Currency
    merchant_account_id: UUID | None = None


@command
class ReviseProduct:
    """Replace what customers read about a product; fields left out become empty."""

    product_id: UUID
    name: Name
    description: Text = ""
    category: Label = ""
    brand: Label = ""
    sku: Name | None = None
    attributes: Annotated[tuple[AttributePart, ...], Field(max_length=MAX_ATTRIBUTES)] = ()
    images: Annotated[tuple[ImageAddress, ...], Field(max_length=MAX_IMAGES)] = ()


@command
class ChangePrice:
    """Set the price of orders placed from now on."""

    product_id: UUID
    price: Positive
    currency: Currency


@command
class DiscontinueProduct:
    """Take a product off sale for good."""

    product_id: UUID
    reason: Text = ""


@handles(ListProduct)
async def list_product(c: ListProduct, log: Log, ids: Ids) -> Receipt:
    """List it."""
    details, price = _details(c), Money(c.price, c.currency)
    return await log.change(
        Product,
        c.product_id or ids.new(),
        lambda product: product.offer(details, price, c.merchant_account_id),
    )


@handles(ReviseProduct)
async def revise_product(c: ReviseProduct, log: Log) -> Receipt:
    """Revise it."""
    details = _details(c)
    return await log.change(Product, c.product_id, lambda product: product.revise(details))


@handles(ChangePrice)
async def change_price(c: ChangePrice, log: Log) -> Receipt:
    """Change its price."""
    price = Money(c.price, c.currency)
    return await log.change(Product, c.product_id, lambda product: product.change_price(price))


@handles(DiscontinueProduct)
async def discontinue_product(c: DiscontinueProduct, log: Log) -> Receipt:
    """Discontinue it."""
    return await log.change(Product, c.product_id, lambda product: product.discontinue(c.reason))


def _details(c: ListProduct | ReviseProduct) -> Details:
    return Details(
        name=c.name,
        description=c.description,
        category=c.category,
        brand=c.brand,
        sku=c.sku,
        attributes=tuple(Attribute(part.name, part.value) for part in c.attributes),
        images=c.images,
    )
