"""An order: placed, confirmed, paid, shipped, delivered, or cancelled before it is shipped."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from domain import Event, NotFound, Personal, Refused, State
from domain.commerce.basket import Item, priced
from domain.commerce.gateway import PaymentMethod
from domain.commerce.line import (
    Line,
    Lines,
    NotShippable,
    OrderLineCancelled,
    OrderLineCommitted,
    OrderLineReserved,
    OrderParcelCalledOff,
    OrderParcelDelivered,
    Progress,
)
from domain.commerce.shipment import Units
from domain.commerce.wallet import accepted

RESERVATION_TTL = timedelta(hours=1)
"""How long stock is held for an order; longer than the order's process waits to be paid."""
MAX_CANCELLATIONS = 100
"""Partial cancellations of one order; cancelling the whole of it is always possible."""


class AlreadyShipped(Refused, code="order_already_shipped"):
    """What has left the house can't be cancelled."""


class TooManyCancellations(Refused, code="too_many_cancellations"):
    """The order was cut in too many parts."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the goods go."""

    recipient: Personal[str]
    street: Personal[str]
    postcode: Personal[str]
    city: Personal[str]
    country: Personal[str]
    """ISO 3166-1 alpha-2."""
    region: Personal[str | None] = None


class OrderPlaced(Event, frozen=True):
    """A customer ordered."""

    TOPIC = "commerce.order.placed"
    customer_id: UUID
    currency: str
    lines: tuple[Line, ...]
    address: Address
    method: PaymentMethod
    reserve_until: datetime
    """Until when its reservations hold."""


class OrderReserved(Event, frozen=True):
    """All open lines are held; it can be paid."""

    TOPIC = "commerce.order.reserved"


class OrderConfirmed(Event, frozen=True):
    """Its money is authorised and its units are its own."""

    TOPIC = "commerce.order.confirmed"


class OrderPaid(Event, frozen=True):
    """The money was taken; it can be shipped."""

    TOPIC = "commerce.order.paid"
    amount: int


class OrderShipped(Event, frozen=True):
    """All open lines are in dispatched shipments."""

    TOPIC = "commerce.order.shipped"


class OrderDelivered(Event, frozen=True):
    """All its shipments arrived."""

    TOPIC = "commerce.order.delivered"


class OrderCancelled(Event, frozen=True):
    """Nothing of it will be shipped; its stock and its money go back."""

    TOPIC = "commerce.order.cancelled"
    reason: str
    units: tuple[Units, ...]
    """What was still to be shipped."""


class Status(StrEnum):
    """How far an order is."""

    NEW = "new"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Order(State, frozen=True):
    """What an order remembers in order to decide. It is also the process that gets it done."""

    KIND = "commerce.order"
    OWNER = "customer_id"
    status: Status = Status.NEW
    currency: str = ""
    lines: Lines = Lines()
    method: PaymentMethod = PaymentMethod(kind="card")
    reserved: bool = False
    cancellations: tuple[UUID, ...] = ()
    customer_id: UUID | None = None

    def place(
        self,
        customer_id: UUID,
        items: Sequence[Item],
        address: Address,
        method: PaymentMethod,
        reserve_until: datetime,
    ) -> list[Event]:
        """Order products at the price they have now."""
        if self.status is not Status.NEW:
            return []
        lines, currency = priced(items)
        return [
            OrderPlaced(
                customer_id=customer_id,
                currency=currency,
                lines=lines,
                address=address,
                method=accepted(method, [item.product for item in items]),
                reserve_until=reserve_until,
            )
        ]

    def note_reserved(self, product_id: UUID) -> list[Event]:
        """Note that a line is held."""
        line = self.lines.by_product.get(product_id)
        if self.status is not Status.PENDING or line is None or line.reserved:
            return []
        return self._then(OrderLineReserved(product_id=product_id))

    def note_committed(self, product_id: UUID) -> list[Event]:
        """Note that a line's units are the order's."""
        line = self.lines.by_product.get(product_id)
        if self.status is not Status.PENDING or line is None or line.committed:
            return []
        return self._then(OrderLineCommitted(product_id=product_id))

    def note_refused(self, product_id: UUID, reason: str) -> list[Event]:
        """Give up when stock refused a line that is still wanted."""
        return self.fail(reason) if product_id in self.lines.open else []

    def pay(self, amount: int) -> list[Event]:
        """Note that the money was taken."""
        return [OrderPaid(amount=amount)] if self.status is Status.CONFIRMED else []

    def fail(self, reason: str) -> list[Event]:
        """Give up when it is not paid yet."""
        if self.status not in (Status.PENDING, Status.CONFIRMED):
            return []
        return self._cancelled(reason)

    def cancel(self, reason: str) -> list[Event]:
        """Cancel the whole order, before any of it has left the house."""
        self.check_known()
        if self.status is Status.CANCELLED:
            return []
        self._check_not_shipped()
        if self.lines.anything_shipped:
            raise AlreadyShipped("a part of the order has left; cancel the lines that are open")
        return self._cancelled(reason)

    def cancel_line(
        self, cancellation_id: UUID, product_id: UUID, quantity: int, reason: str
    ) -> list[Event]:
        """Cancel some units of a line that have not left the house."""
        self.check_known()
        if self.status is Status.CANCELLED or cancellation_id in self.cancellations:
            return []
        self._check_not_shipped()
        price = self.lines.price_of(product_id, quantity)
        if len(self.cancellations) >= MAX_CANCELLATIONS:
            raise TooManyCancellations(
                f"{MAX_CANCELLATIONS} cancellations are made already; cancel the whole order"
            )
        cut = OrderLineCancelled(
            cancellation_id=cancellation_id,
            product_id=product_id,
            quantity=quantity,
            amount=price,
            reason=reason,
        )
        if not self.lines.anything_shipped and not self.evolve(cut).lines.open:
            return self._cancelled(reason)
        called_off = [
            OrderParcelCalledOff(shipment_id=id)
            for id in self.lines.in_the_way(product_id, quantity)
        ]
        return self._then(*called_off, cut)

    def plan_parcel(self, shipment_id: UUID, units: tuple[Units, ...]) -> list[Event]:
        """Set open units aside for a shipment."""
        self.check_known()
        if shipment_id in self.lines.parcels:
            return []
        if self.status is not Status.PAID:
            raise NotShippable(f"the order is {self.status}; only a paid one can be shipped")
        return self.lines.plan(shipment_id, units)

    def ship_parcel(self, shipment_id: UUID) -> list[Event]:
        """Let a planned shipment leave."""
        return self._then(*self.lines.ship(shipment_id))

    def note_delivered(self, shipment_id: UUID) -> list[Event]:
        """Note that a shipment arrived."""
        parcel = self.lines.parcels.get(shipment_id)
        if parcel is None or parcel.status != "shipped":
            return []
        return self._then(OrderParcelDelivered(shipment_id=shipment_id))

    def check_known(self) -> None:
        """Refuse an order that was never placed."""
        if self.status is Status.NEW:
            raise NotFound("no such order; check the id")

    def evolve(self, event: Event) -> "Order":
        """Return the order after `event`."""
        match event:
            case OrderPlaced(customer_id=customer, currency=currency, method=method):
                progress = {x.product_id: Progress(x.quantity, x.unit_price) for x in event.lines}
                placed = Order(status=Status.PENDING, currency=currency, method=method)
                return placed.replace(customer_id=customer, lines=Lines(progress))
            case OrderReserved():
                return self.replace(reserved=True)
            case OrderConfirmed():
                return self.replace(status=Status.CONFIRMED)
            case OrderPaid():
                return self.replace(status=Status.PAID)
            case OrderShipped():
                return self.replace(status=Status.SHIPPED)
            case OrderDelivered():
                return self.replace(status=Status.DELIVERED)
            case OrderCancelled():
                return self.replace(status=Status.CANCELLED, lines=self.lines.cancel_all())
            case OrderLineCancelled(cancellation_id=id):
                cut = self.replace(cancellations=(*self.cancellations, id))
                return cut.replace(lines=self.lines.evolve(event))
        return self.replace(lines=self.lines.evolve(event))

    def _check_not_shipped(self) -> None:
        if self.status in (Status.SHIPPED, Status.DELIVERED):
            raise AlreadyShipped(f"the order is {self.status}; it can't be cancelled any more")

    def _cancelled(self, reason: str) -> list[Event]:
        units = tuple(Units(id, line.remaining) for id, line in self.lines.open.items())
        called_off = [OrderParcelCalledOff(shipment_id=id) for id in self.lines.planned]
        return [*called_off, OrderCancelled(reason=reason, units=units)]

    def _then(self, *facts: Event) -> list[Event]:
        """Return `facts` and the transitions that they complete."""
        order, all_facts = self.fold(facts), list(facts)
        while (transition := order._transition()) is not None:
            all_facts.append(transition)
            order = order.evolve(transition)
        return all_facts

    def _transition(self) -> Event | None:
        waiting = self.lines.open.values()
        match self.status:
            case Status.PENDING if not self.reserved and all(line.reserved for line in waiting):
                return OrderReserved()
            case Status.PENDING if self.reserved and all(line.committed for line in waiting):
                return OrderConfirmed()
            case Status.PAID if not waiting:
                return OrderShipped()
            case Status.SHIPPED if self.lines.all_delivered:
                return OrderDelivered()
        return None
