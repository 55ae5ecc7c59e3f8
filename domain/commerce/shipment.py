"""A shipment: some units of an order on their way to the customer."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain import Event, NotFound, Refused, State

MAX_UNITS = 100
"""Lines of one shipment; an order has no more."""


class ShipmentCalledOff(Refused, code="shipment_called_off"):
    """The order no longer wants these units sent."""


class ShipmentExists(Refused, code="shipment_exists"):
    """A shipment carries units of one order only."""


class NotDispatched(Refused, code="shipment_not_dispatched"):
    """What has not left can't arrive."""


class Units(msgspec.Struct, frozen=True):
    """A number of pieces of one product."""

    product_id: UUID
    quantity: int


class ShipmentCreated(Event, frozen=True):
    """Units of an order are to be packed."""

    TOPIC = "commerce.shipment.created"
    order_id: UUID
    units: tuple[Units, ...]


class ShipmentDispatched(Event, frozen=True):
    """A carrier has it."""

    TOPIC = "commerce.shipment.dispatched"
    order_id: UUID
    carrier: str
    tracking: str


class ShipmentDelivered(Event, frozen=True):
    """The customer has it."""

    TOPIC = "commerce.shipment.delivered"
    order_id: UUID
    shipment_id: UUID


class ShipmentWithdrawn(Event, frozen=True):
    """It is not to be sent: units in it were cancelled. The others need a new shipment."""

    TOPIC = "commerce.shipment.withdrawn"
    order_id: UUID


class Status(StrEnum):
    """How far a shipment is."""

    NEW = "new"
    CREATED = "created"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    WITHDRAWN = "withdrawn"


class Shipment(State, frozen=True):
    """What a shipment remembers in order to decide."""

    KIND = "commerce.shipment"
    status: Status = Status.NEW
    order_id: UUID = UUID(int=0)

    def create(self, order_id: UUID, units: tuple[Units, ...]) -> list[Event]:
        """Ask for units of an order to be packed."""
        if self.status is not Status.NEW:
            if order_id != self.order_id:
                raise ShipmentExists("the shipment belongs to another order; choose another id")
            return []
        return [ShipmentCreated(order_id=order_id, units=units)]

    def dispatch(self, carrier: str, tracking: str) -> list[Event]:
        """Hand it to a carrier."""
        self.check_known()
        if self.status is Status.WITHDRAWN:
            raise ShipmentCalledOff("units in it were cancelled; create a new shipment")
        if self.status is not Status.CREATED:
            return []
        return [ShipmentDispatched(order_id=self.order_id, carrier=carrier, tracking=tracking)]

    def deliver(self, shipment_id: UUID) -> list[Event]:
        """Note that the customer has it."""
        self.check_known()
        if self.status in (Status.CREATED, Status.WITHDRAWN):
            raise NotDispatched(f"the shipment is {self.status}; dispatch it first")
        if self.status is Status.DELIVERED:
            return []
        return [ShipmentDelivered(order_id=self.order_id, shipment_id=shipment_id)]

    def withdraw(self) -> list[Event]:
        """Note that the order called it off."""
        if self.status is not Status.CREATED:
            return []
        return [ShipmentWithdrawn(order_id=self.order_id)]

    def check_known(self) -> None:
        """Refuse a shipment that was never created."""
        if self.status is Status.NEW:
            raise NotFound("no such shipment; check the id")

    def evolve(self, event: Event) -> "Shipment":
        """Return the shipment after `event`."""
        match event:
            case ShipmentCreated(order_id=order_id):
                return Shipment(status=Status.CREATED, order_id=order_id)
            case ShipmentDispatched():
                return self.replace(status=Status.DISPATCHED)
            case ShipmentDelivered():
                return self.replace(status=Status.DELIVERED)
            case ShipmentWithdrawn():
                return self.replace(status=Status.WITHDRAWN)
        return self
