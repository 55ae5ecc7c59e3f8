"""The lines of an order: what was ordered at which price, and how far each one is."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from domain import Event, Invalid, Refused
from domain.commerce.shipment import ShipmentCalledOff, Units

MAX_PARCELS = 100
"""Shipments of one order, those that were called off included."""


class LineNotOpen(Refused, code="line_not_open"):
    """The line has fewer units open than the command names."""


class NotShippable(Refused, code="order_not_shippable"):
    """Only open units of a paid order can be shipped."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One product of an order, at the price and by the name it had then."""

    product_id: UUID
    quantity: int
    unit_price: int
    """In minor units of the order's currency."""
    name: str


class OrderLineReserved(Event, frozen=True):
    """The line's units are held."""

    TOPIC = "commerce.order.line_reserved"
    product_id: UUID


class OrderLineCommitted(Event, frozen=True):
    """The line's units belong to the order."""

    TOPIC = "commerce.order.line_committed"
    product_id: UUID


class OrderLineCancelled(Event, frozen=True):
    """Some units of the line are not wanted any more."""

    TOPIC = "commerce.order.line_cancelled"
    cancellation_id: UUID
    product_id: UUID
    quantity: int
    amount: int
    """What these units cost, in the order's currency."""
    reason: str


class OrderParcelPlanned(Event, frozen=True):
    """Open units are to go in one shipment."""

    TOPIC = "commerce.order.parcel_planned"
    shipment_id: UUID
    units: tuple[Units, ...]


class OrderParcelCalledOff(Event, frozen=True):
    """A planned shipment does not go: units in it were cancelled."""

    TOPIC = "commerce.order.parcel_called_off"
    shipment_id: UUID


class OrderParcelShipped(Event, frozen=True):
    """The units of a shipment left the house."""

    TOPIC = "commerce.order.parcel_shipped"
    shipment_id: UUID
    units: tuple[Units, ...]


class OrderParcelDelivered(Event, frozen=True):
    """A shipment of the order arrived."""

    TOPIC = "commerce.order.parcel_delivered"
    shipment_id: UUID


class Progress(msgspec.Struct, frozen=True):
    """How far a line is. Cancelled and shipped units together never exceed the ordered ones."""

    quantity: int
    unit_price: int
    cancelled: int = 0
    shipped: int = 0
    reserved: bool = False
    committed: bool = False

    @property
    def remaining(self) -> int:
        """Units still to be shipped."""
        return self.quantity - self.cancelled - self.shipped


class Parcel(msgspec.Struct, frozen=True):
    """A shipment, as its order sees it: planned, shipped, delivered or called off."""

    units: tuple[Units, ...]
    status: str = "planned"

    def quantity(self, product_id: UUID) -> int:
        """Units of a product in it."""
        return sum(part.quantity for part in self.units if part.product_id == product_id)


class Lines(msgspec.Struct, frozen=True):
    """All lines and parcels of an order, and the arithmetic over them."""

    by_product: Mapping[UUID, Progress] = {}
    parcels: Mapping[UUID, Parcel] = {}

    @property
    def total(self) -> int:
        """What the units that are not cancelled cost."""
        return sum((p.quantity - p.cancelled) * p.unit_price for p in self.by_product.values())

    @property
    def open(self) -> dict[UUID, Progress]:
        """The lines that still have units to be shipped."""
        return {id: line for id, line in self.by_product.items() if line.remaining}

    @property
    def anything_shipped(self) -> bool:
        """Whether any unit left the house."""
        return any(line.shipped for line in self.by_product.values())

    @property
    def planned(self) -> dict[UUID, Parcel]:
        """The shipments that have not left yet."""
        return {id: parcel for id, parcel in self.parcels.items() if parcel.status == "planned"}

    @property
    def all_delivered(self) -> bool:
        """Whether every shipment that left has arrived."""
        return all(parcel.status in ("delivered", "called_off") for parcel in self.parcels.values())

    def unplanned(self, product_id: UUID) -> int:
        """Units of a product that are neither cancelled, shipped nor in a planned shipment."""
        line = self.by_product.get(product_id)
        if line is None:
            return 0
        in_parcels = sum(parcel.quantity(product_id) for parcel in self.planned.values())
        return line.remaining - in_parcels

    def all_unplanned(self) -> tuple[Units, ...]:
        """Everything that could go in one more shipment."""
        free = ((id, self.unplanned(id)) for id in self.open)
        return tuple(Units(id, quantity) for id, quantity in free if quantity)

    def price_of(self, product_id: UUID, quantity: int) -> int:
        """Return what `quantity` open units cost. Raises `LineNotOpen` when there are fewer."""
        line = self.open.get(product_id)
        if line is None or quantity > line.remaining:
            left = line.remaining if line else 0
            raise LineNotOpen(
                f"{left} units of product {product_id} are open, not {quantity}; cancel fewer"
            )
        return quantity * line.unit_price

    def plan(self, shipment_id: UUID, units: tuple[Units, ...]) -> list[Event]:
        """Set units aside for a shipment. Raises `NotShippable`, `LineNotOpen`."""
        if not units:
            raise NotShippable("no units wait for a shipment; all are in one, gone or cancelled")
        if len(self.parcels) >= MAX_PARCELS:
            raise NotShippable(f"the order had {MAX_PARCELS} shipments; it gets no more")
        if len({part.product_id for part in units}) < len(units):
            raise Invalid("a product is named twice; name it once with the whole quantity")
        for part in units:
            free = self.unplanned(part.product_id)
            if part.quantity > free:
                raise LineNotOpen(
                    f"{free} units of product {part.product_id} wait for a shipment, "
                    f"not {part.quantity}; ship fewer"
                )
        return [OrderParcelPlanned(shipment_id=shipment_id, units=units)]

    def ship(self, shipment_id: UUID) -> list[Event]:
        """Let a planned shipment leave. Raises `ShipmentCalledOff`."""
        parcel = self.parcels.get(shipment_id)
        if parcel is None or parcel.status == "called_off":
            raise ShipmentCalledOff(f"shipment {shipment_id} was called off; create a new one")
        if parcel.status != "planned":
            return []
        return [OrderParcelShipped(shipment_id=shipment_id, units=parcel.units)]

    def in_the_way(self, product_id: UUID, quantity: int) -> list[UUID]:
        """The planned shipments to call off so that `quantity` units can be cancelled."""
        free = self.unplanned(product_id)
        ids = []
        for id, parcel in self.planned.items():
            if free >= quantity:
                break
            if parcel.quantity(product_id):
                free += parcel.quantity(product_id)
                ids.append(id)
        return ids

    def evolve(self, event: Event) -> "Lines":
        """Return the lines after `event`."""
        match event:
            case OrderLineReserved(product_id=id):
                return self._line(id, reserved=True)
            case OrderLineCommitted(product_id=id):
                return self._line(id, committed=True)
            case OrderLineCancelled(product_id=id, quantity=n):
                return self._line(id, cancelled=self.by_product[id].cancelled + n)
            case OrderParcelPlanned(shipment_id=id, units=units):
                return self._parcel(id, Parcel(units))
            case OrderParcelCalledOff(shipment_id=id):
                return self._parcel(id, Parcel(self.parcels[id].units, "called_off"))
            case OrderParcelShipped(shipment_id=id, units=units):
                lines = self._parcel(id, Parcel(units, "shipped"))
                for part in units:
                    shipped = lines.by_product[part.product_id].shipped + part.quantity
                    lines = lines._line(part.product_id, shipped=shipped)
                return lines
            case OrderParcelDelivered(shipment_id=id):
                return self._parcel(id, Parcel(self.parcels[id].units, "delivered"))
        return self

    def cancel_all(self) -> "Lines":
        """Return the lines with every unit that did not leave the house cancelled."""
        return Lines(
            {
                id: msgspec.structs.replace(line, cancelled=line.quantity - line.shipped)
                for id, line in self.by_product.items()
            },
            self.parcels,
        )

    def _line(self, product_id: UUID, **changes: object) -> "Lines":
        line = msgspec.structs.replace(self.by_product[product_id], **changes)
        return Lines({**self.by_product, product_id: line}, self.parcels)

    def _parcel(self, shipment_id: UUID, parcel: Parcel) -> "Lines":
        return Lines(self.by_product, {**self.parcels, shipment_id: parcel})
