"""What can be asked of a shipment."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from commands import Change, Ids, Log, Name, Quantity, Receipt, command, handles, part
from domain.commerce.order import Order
from domain.commerce.shipment import MAX_UNITS, Shipment, Units


@part
class UnitsPart:
    """A product of the order, and how many of it."""

    product_id: UUID
    quantity: Quantity


@command
class CreateShipment:
    """Have units of a paid order packed; without `units`, everything that still waits."""

    shipment_id: UUID | None = None
    order_id: UUID
    units: Annotated[tuple[UnitsPart, ...], Field(max_length=MAX_UNITS)] = ()


@command
class DispatchShipment:
    """Hand a shipment to a carrier."""

    shipment_id: UUID
    carrier: Name
    tracking: Name


@command
class DeliverShipment:
    """Note that the customer has the shipment."""

    shipment_id: UUID


@command
class WithdrawShipment:
    """Note that the order called the shipment off."""

    shipment_id: UUID


@handles(CreateShipment)
async def create_shipment(c: CreateShipment, log: Log, ids: Ids) -> Receipt:
    """Create it and set its units aside in one append, so that none is sent twice."""
    shipment_id = c.shipment_id or ids.new()
    units = tuple(Units(part.product_id, part.quantity) for part in c.units)
    if not units:
        units = (await log.load(Order, c.order_id)).lines.all_unplanned()
    return await log.change_all(
        Change(Shipment, shipment_id, lambda shipment: shipment.create(c.order_id, units)),
        Change(Order, c.order_id, lambda order: order.plan_parcel(shipment_id, units)),
    )


@handles(DispatchShipment)
async def dispatch_shipment(c: DispatchShipment, log: Log) -> Receipt:
    """Dispatch it, and count its units as shipped in the same append: what left can't be
    cancelled, and what was cancelled can't leave.
    """
    shipment = await log.load(Shipment, c.shipment_id)
    shipment.check_known()
    return await log.change_all(
        Change(Shipment, c.shipment_id, lambda s: s.dispatch(c.carrier, c.tracking)),
        Change(Order, shipment.order_id, lambda order: order.ship_parcel(c.shipment_id)),
    )


@handles(DeliverShipment)
async def deliver_shipment(c: DeliverShipment, log: Log) -> Receipt:
    """Note its arrival."""
    return await log.change(
        Shipment, c.shipment_id, lambda shipment: shipment.deliver(c.shipment_id)
    )


@handles(WithdrawShipment, step=True)
async def withdraw_shipment(c: WithdrawShipment, log: Log) -> Receipt:
    """Withdraw it."""
    return await log.change(Shipment, c.shipment_id, lambda shipment: shipment.withdraw())
