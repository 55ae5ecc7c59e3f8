"""Orders by customer, and each with its lines, its payment and its shipments."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Index, Select, select

from domain import Envelope, Event
from domain.commerce.line import (
    OrderLineCancelled,
    OrderLineCommitted,
    OrderLineReserved,
    OrderParcelShipped,
)
from domain.commerce.order import (
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderPaid,
    OrderPlaced,
    OrderShipped,
    Status,
)
from domain.commerce.payment import payment_id
from projections import (
    Changes,
    Detail,
    Listing,
    count,
    document,
    key,
    moment,
    money,
    ref,
    table,
    text,
)
from projections.commerce.payment import payment_of, payments
from projections.commerce.refund import refunds_of
from projections.commerce.shipment import shipments, shipments_of

orders = table(
    "orders",
    key(),
    ref("customer_id"),
    text("status"),
    money("total"),
    text("currency"),
    text("method"),
    ref("payment_id"),
    document("address"),
    text("reason", nullable=True),
    moment("placed_at"),
    moment("ended_at", nullable=True),
    count("position"),
    count("version"),
    Index("orders_by_customer", "customer_id", "position"),
    history=True,
)
lines = table(
    "order_lines",
    key("order_id"),
    key("product_id"),
    count("number"),
    text("name"),
    count("quantity"),
    money("unit_price"),
    text("currency"),
    count("cancelled"),
    count("shipped"),
    text("stock"),
    history=True,
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep each order as it stands, and how far its lines are."""
    changes: dict[str, Any] = {}
    match fact:
        case OrderPlaced():
            _place(fact, at, rows)
        case OrderLineReserved(product_id=product):
            rows.update(lines, (at.stream, product), stock="reserved")
        case OrderLineCommitted(product_id=product):
            rows.update(lines, (at.stream, product), stock="committed")
        case OrderLineCancelled(product_id=product, quantity=n, amount=amount):
            rows.add(lines, (at.stream, product), cancelled=n)
            rows.add(orders, at.stream, total=-amount)
        case OrderParcelShipped(units=units):
            for part in units:
                rows.add(lines, (at.stream, part.product_id), shipped=part.quantity)
        case OrderConfirmed():
            changes = {"status": Status.CONFIRMED.value}
        case OrderPaid():
            changes = {"status": Status.PAID.value}
        case OrderShipped():
            changes = {"status": Status.SHIPPED.value}
        case OrderDelivered():
            changes = {"status": Status.DELIVERED.value, "ended_at": at.time}
        case OrderCancelled(reason=reason, units=units):
            for part in units:
                rows.add(lines, (at.stream, part.product_id), cancelled=part.quantity)
            changes = {
                "status": Status.CANCELLED.value,
                "reason": reason,
                "ended_at": at.time,
            }
    if at.kind == Order.KIND:
        rows.update(orders, at.stream, version=at.version, **changes)


def _place(fact: OrderPlaced, at: Envelope, rows: Changes) -> None:
    rows.insert(
        orders,
        id=at.stream,
        customer_id=fact.customer_id,
        status=Status.PENDING.value,
        total=sum(line.quantity * line.unit_price for line in fact.lines),
        currency=fact.currency,
        method=fact.method.kind,
        payment_id=payment_id(at.stream),
        address=msgspec.to_builtins(fact.address),
        placed_at=at.time,
        position=at.position,
    )
    for number, line in enumerate(fact.lines, start=1):
        rows.insert(
            lines,
            order_id=at.stream,
            product_id=line.product_id,
            number=number,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            currency=fact.currency,
            stock="asked",
        )


def order(order_id: UUID) -> Detail:
    """One order with its lines, its payment, its refunds and its shipments."""
    return Detail(
        select(orders).where(orders.c.id == order_id),
        lists={
            "lines": select(lines).where(lines.c.order_id == order_id).order_by(lines.c.number),
            "payments": payment_of(order_id),
            "refunds": refunds_of(order_id),
            "shipments": shipments_of(order_id).select,
        },
    )


def orders_of(customer_id: UUID) -> Listing:
    """A customer's orders, the latest first."""
    rows = select(orders).where(orders.c.customer_id == customer_id)
    return Listing(rows, by=(orders.c.position,), descending=True)


def customer_of(order_id: UUID) -> Select[Any]:
    """Whose an order is."""
    return select(orders.c.customer_id.label("owner")).where(orders.c.id == order_id)


def payer_of(payment_id: UUID) -> Select[Any]:
    """Whose the order is that a payment is for."""
    of = (orders.c.id == payments.c.order_id) & (payments.c.id == payment_id)
    return select(orders.c.customer_id.label("owner")).join(payments, of)


def receiver_of(shipment_id: UUID) -> Select[Any]:
    """Whose the order is that a shipment is of."""
    of = (orders.c.id == shipments.c.order_id) & (shipments.c.id == shipment_id)
    return select(orders.c.customer_id.label("owner")).join(shipments, of)
