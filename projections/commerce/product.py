"""The catalogue: what is for sale, and each product whether it still is or not."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Index, Select, select

from domain import Envelope, Event
from domain.commerce.product import (
    Details,
    ProductListed,
    ProductRepriced,
    ProductRevised,
    ProductWithdrawn,
    Status,
)
from projections import (
    Changes,
    Listing,
    cached,
    count,
    document,
    key,
    moment,
    money,
    ref,
    table,
    text,
)

products = table(
    "products",
    key(),
    text("name"),
    text("description"),
    text("category"),
    text("brand"),
    text("sku", nullable=True),
    document("attributes"),
    document("images"),
    money("price"),
    text("currency"),
    ref("merchant_account_id", nullable=True),
    text("status"),
    moment("listed_at"),
    count("position"),
    count("version"),
    Index("products_by_category", "category", "position"),
    Index("products_by_brand", "brand", "position"),
    Index("products_by_position", "position"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep each product as customers see it."""
    match fact:
        case ProductListed(details=details, price=price, merchant_account_id=account):
            rows.insert(
                products,
                id=at.stream,
                price=price.amount,
                currency=price.currency,
                merchant_account_id=account,
                status=Status.LISTED.value,
                listed_at=at.time,
                position=at.position,
                version=at.version,
                **_columns(details),
            )
        case ProductRevised(details=details):
            rows.update(products, at.stream, version=at.version, **_columns(details))
        case ProductRepriced(price=price):
            rows.update(
                products,
                at.stream,
                version=at.version,
                price=price.amount,
                currency=price.currency,
            )
        case ProductWithdrawn():
            rows.update(products, at.stream, version=at.version, status=Status.DISCONTINUED.value)


def _columns(details: Details) -> dict[str, Any]:
    columns: dict[str, Any] = msgspec.to_builtins(details)
    return columns


@cached
def product(product_id: UUID) -> Select[Any]:
    """One product, a discontinued one too: orders name it."""
    return select(products).where(products.c.id == product_id)


def catalogue(category: str | None = None, brand: str | None = None) -> Listing:
    """The products for sale, the latest listed first."""
    rows = select(products).where(products.c.status == Status.LISTED.value)
    if category is not None:
        rows = rows.where(products.c.category == category)
    if brand is not None:
        rows = rows.where(products.c.brand == brand)
    return Listing(rows, by=(products.c.position,), descending=True)
