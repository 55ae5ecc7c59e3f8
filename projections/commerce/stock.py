"""Stock levels: per product what is on hand, held, free, and committed to orders."""

from typing import Any
from uuid import UUID

from sqlalchemy import Index, Select, select

from domain import Envelope, Event
from domain.commerce.product import Product, ProductListed, ProductRevised, ProductWithdrawn, Status
from domain.commerce.stock import (
    ReservationCommitted,
    ReservationExpired,
    Stock,
    StockAdjusted,
    StockReceived,
    StockReleased,
    StockReserved,
    StockReturned,
    StockShipped,
    stock_id,
)
from projections import Changes, Listing, count, key, ref, table, text

stock = table(
    "stock",
    key(),
    ref("product_id"),
    text("name"),
    text("status"),
    count("on_hand"),
    count("reserved"),
    count("available"),
    count("committed"),
    count("position"),
    count("version"),
    Index("stock_by_product", "product_id", unique=True),
    Index("stock_by_position", "position"),
    Index("stock_by_available", "available", "position"),
    history=True,
)


def key_of(fact: Event, at: Envelope) -> UUID:
    """A product's facts and those of its stock are about one row."""
    return stock_id(at.stream) if at.kind == Product.KIND else at.stream


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Begin each listed product with nothing in stock, and count from there."""
    match fact:
        case ProductListed(details=details):
            rows.insert(
                stock,
                id=stock_id(at.stream),
                product_id=at.stream,
                name=details.name,
                status=Status.LISTED.value,
                position=at.position,
            )
        case ProductRevised(details=details):
            rows.update(stock, stock_id(at.stream), name=details.name)
        case ProductWithdrawn():
            rows.update(stock, stock_id(at.stream), status=Status.DISCONTINUED.value)
        case StockReceived(quantity=n) | StockAdjusted(change=n):
            rows.add(stock, at.stream, on_hand=n, available=n)
        case StockReserved(quantity=n):
            rows.add(stock, at.stream, reserved=n, available=-n)
        case StockReleased(quantity=n) | ReservationExpired(quantity=n):
            rows.add(stock, at.stream, reserved=-n, available=n)
        case ReservationCommitted(quantity=n):
            rows.add(stock, at.stream, on_hand=-n, reserved=-n, committed=n)
        case StockReturned(quantity=n):
            rows.add(stock, at.stream, on_hand=n, available=n, committed=-n)
        case StockShipped(quantity=n):
            rows.add(stock, at.stream, committed=-n)
    if at.kind == Stock.KIND:
        rows.update(stock, at.stream, version=at.version)


def stock_of(product_id: UUID) -> Select[Any]:
    """The stock of one product."""
    return select(stock).where(stock.c.product_id == product_id)


def stock_levels(at_most: int | None = None) -> Listing:
    """The stock of every product, those listed last first; `at_most` so many available."""
    rows = select(stock)
    if at_most is not None:
        rows = rows.where(stock.c.available <= at_most)
    return Listing(rows, by=(stock.c.position,), descending=True)
