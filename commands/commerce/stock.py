"""What can be asked of the stock of a product."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, Strict

from commands import (
    MAX_QUANTITY,
    Clock,
    Ids,
    Log,
    Name,
    Quantity,
    Receipt,
    command,
    handles,
)
from domain.commerce.product import Product
from domain.commerce.stock import Stock, stock_id

Pieces = Annotated[int, Strict(), Field(ge=0, le=MAX_QUANTITY)]


@command
class ReceiveStock:
    """Take units in. The same receipt is taken in once."""

    product_id: UUID
    quantity: Quantity
    receipt_id: UUID | None = None


@command
class AdjustStock:
    """Correct the number on hand by the difference that a count found."""

    product_id: UUID
    change: Annotated[int, Strict(), Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
    reason: Name
    adjustment_id: UUID | None = None


@command
class ReserveStock:
    """Hold units for an order; the answer is a fact."""

    product_id: UUID
    order_id: UUID
    quantity: Quantity
    expires_at: datetime


@command
class CommitReservation:
    """Give the units held for an order to it; the answer is a fact."""

    product_id: UUID
    order_id: UUID


@command
class ReleaseStock:
    """Free what is kept for an order beyond `keep` units."""

    product_id: UUID
    order_id: UUID
    keep: Pieces


@command
class ShipStock:
    """Let go of an order's committed units beyond the `keep` it still has to get."""

    product_id: UUID
    order_id: UUID
    keep: Pieces


@handles(ReceiveStock)
async def receive_stock(c: ReceiveStock, log: Log, ids: Ids) -> Receipt:
    """Receive units of a product that was listed, discontinued ones too."""
    (await log.load(Product, c.product_id)).check_known()
    receipt_id = c.receipt_id or ids.new()
    return await log.change(
        Stock,
        stock_id(c.product_id),
        lambda stock: stock.receive(c.product_id, receipt_id, c.quantity),
    )


@handles(AdjustStock)
async def adjust_stock(c: AdjustStock, log: Log, ids: Ids, clock: Clock) -> Receipt:
    """Adjust the stock of a product that was listed."""
    (await log.load(Product, c.product_id)).check_known()
    adjustment_id = c.adjustment_id or ids.new()
    return await log.change(
        Stock,
        stock_id(c.product_id),
        lambda stock: stock.adjust(c.product_id, adjustment_id, c.change, c.reason, clock.now()),
    )


@handles(ReserveStock, step=True)
async def reserve_stock(c: ReserveStock, log: Log, clock: Clock) -> Receipt:
    """Reserve, as of now."""
    return await log.change(
        Stock,
        stock_id(c.product_id),
        lambda stock: stock.reserve(
            c.product_id, c.order_id, c.quantity, c.expires_at, clock.now()
        ),
    )


@handles(CommitReservation, step=True)
async def commit_reservation(c: CommitReservation, log: Log, clock: Clock) -> Receipt:
    """Commit, as of now."""
    return await log.change(
        Stock,
        stock_id(c.product_id),
        lambda stock: stock.commit(c.product_id, c.order_id, clock.now()),
    )


@handles(ReleaseStock, step=True)
async def release_stock(c: ReleaseStock, log: Log) -> Receipt:
    """Release."""
    return await log.change(
        Stock,
        stock_id(c.product_id),
        lambda stock: stock.release(c.product_id, c.order_id, c.keep),
    )


@handles(ShipStock, step=True)
async def ship_stock(c: ShipStock, log: Log) -> Receipt:
    """Ship."""
    return await log.change(
        Stock,
        stock_id(c.product_id),
        lambda stock: stock.ship(c.product_id, c.order_id, c.keep),
    )
