"""Shipments: what is on its way to whom."""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, select

from domain import Envelope, Event
from domain.commerce.shipment import (
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
    ShipmentWithdrawn,
    Status,
)
from projections import Changes, Listing, count, document, key, moment, ref, table, text

shipments = table(
    "shipments",
    key(),
    ref("order_id", index=True),
    text("status"),
    document("units"),
    text("carrier", nullable=True),
    text("tracking", nullable=True),
    moment("created_at"),
    moment("dispatched_at", nullable=True),
    moment("delivered_at", nullable=True),
    count("position"),
    count("version"),
    history=True,
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep each shipment as it stands."""
    match fact:
        case ShipmentCreated(order_id=order, units=units):
            rows.insert(
                shipments,
                id=at.stream,
                order_id=order,
                status=Status.CREATED.value,
                units=msgspec.to_builtins(units),
                created_at=at.time,
                position=at.position,
                version=at.version,
            )
        case ShipmentDispatched(carrier=carrier, tracking=tracking):
            rows.update(
                shipments,
                at.stream,
                status=Status.DISPATCHED.value,
                carrier=carrier,
                tracking=tracking,
                dispatched_at=at.time,
                version=at.version,
            )
        case ShipmentDelivered():
            rows.update(
                shipments,
                at.stream,
                status=Status.DELIVERED.value,
                delivered_at=at.time,
                version=at.version,
            )
        case ShipmentWithdrawn():
            rows.update(shipments, at.stream, status=Status.WITHDRAWN.value, version=at.version)


def shipment(shipment_id: UUID) -> Select[Any]:
    """One shipment."""
    return select(shipments).where(shipments.c.id == shipment_id)


def shipments_of(order_id: UUID) -> Listing:
    """The shipments of an order, the first one first."""
    rows = select(shipments).where(shipments.c.order_id == order_id)
    return Listing(rows, by=(shipments.c.position,))
