"""An order: placed, confirmed, paid, shipped, delivered, or cancelled before it is shipped."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from domain import MAX_AMOUNT, Event, Invalid, NotFound, Refused, State
from domain.commerce.gateway import PaymentMethod
from domain.commerce.line import (
    Line,
    Lines,
    OrderLineCancelled,
    OrderLineCommitted,
    OrderLineReserved,
    OrderParcelCalledOff,
    OrderParcelDelivered,
    OrderParcelPlanned,
    OrderParcelShipped,
    Progress,
)
from domain.commerce.product import Product
from domain.commerce.shipment import ShipmentCalledOff, Units

RESERVATION_TTL = timedelta(hours=1)
"""How long stock is held for an order; longer than the order's process waits to be paid."""
MAX_LINES = 100
MAX_CANCELLATIONS = 100
"""Partial cancellations of one order; cancelling the whole of it is always possible."""
MAX_PARCELS = 100
"""Shipments of one order, those that were called off included."""


class OrderTooLarge(Refused, code="order_too_large"):
    """The order costs more than one fact can say."""


class MixedCurrencies(Refused, code="mixed_currencies"):
    """One order has one currency."""


class NoWallet(Refused, code="wallet_not_accepted"):
    """The products of the order can't be paid for from this wallet."""


class AlreadyShipped(Refused, code="order_already_shipped"):
    """What has left the house can't be cancelled."""


class LineNotOpen(Refused, code="line_not_open"):
    """The line has fewer units open than the command names."""


class TooManyCancellations(Refused, code="too_many_cancellations"):
    """The order was cut in too many parts."""


class NotShippable(Refused, code="order_not_shippable"):
    """Only a paid order with open units can be shipped."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the goods go."""

    recipient: str
    street: str
    postcode: str
    city: str
    country: str
    """ISO 3166-1 alpha-2."""
    region: str | None = None


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


class Item(msgspec.Struct, frozen=True):
    """What a customer asks for: a product as it is now, and how many of it."""

    product_id: UUID
    product: Product
    quantity: int


class Order(State, frozen=True):
    """What an order remembers in order to decide. It is also the process that gets it done."""

    KIND = "commerce.order"
    status: Status = Status.NEW
    currency: str = ""
    lines: Lines = Lines()
    method: PaymentMethod = PaymentMethod(kind="card")
    reserved: bool = False
    cancellations: tuple[UUID, ...] = ()

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
        for item in items:
            item.product.check_on_sale()
        lines = tuple(
            Line(
                product_id=item.product_id,
                quantity=item.quantity,
                unit_price=item.product.price.amount,
                name=item.product.details.name,
            )
            for item in items
        )
        if len({line.product_id for line in lines}) < len(lines):
            raise Invalid("a product is on two lines; put it on one line with the whole quantity")
        if sum(line.quantity * line.unit_price for line in lines) > MAX_AMOUNT:
            raise OrderTooLarge(f"the order costs more than {MAX_AMOUNT}; split it")
        return [
            OrderPlaced(
                customer_id=customer_id,
                currency=_one_currency(items),
                lines=lines,
                address=address,
                method=_accepted(method, items),
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
        line = self.lines.open.get(product_id)
        if line is None or quantity > line.remaining:
            left = line.remaining if line else 0
            raise LineNotOpen(
                f"{left} units of product {product_id} are open, not {quantity}; cancel fewer"
            )
        if len(self.cancellations) >= MAX_CANCELLATIONS:
            raise TooManyCancellations(
                f"{MAX_CANCELLATIONS} cancellations are made already; cancel the whole order"
            )
        cut = OrderLineCancelled(
            cancellation_id=cancellation_id,
            product_id=product_id,
            quantity=quantity,
            amount=quantity * line.unit_price,
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
        if self.status is not Status.PAID or not units:
            raise NotShippable(
                f"the order is {self.status} and {len(self.lines.all_unplanned())} of its lines "
                "wait for a shipment; ship open units of a paid order"
            )
        if len(self.lines.parcels) >= MAX_PARCELS:
            raise NotShippable(f"the order had {MAX_PARCELS} shipments; it gets no more")
        if len({part.product_id for part in units}) < len(units):
            raise Invalid("a product is named twice; name it once with the whole quantity")
        for part in units:
            free = self.lines.unplanned(part.product_id)
            if part.quantity > free:
                raise LineNotOpen(
                    f"{free} units of product {part.product_id} wait for a shipment, "
                    f"not {part.quantity}; ship fewer"
                )
        return [OrderParcelPlanned(shipment_id=shipment_id, units=units)]

    def ship_parcel(self, shipment_id: UUID) -> list[Event]:
        """Let a planned shipment leave."""
        parcel = self.lines.parcels.get(shipment_id)
        if parcel is None or parcel.status == "called_off":
            raise ShipmentCalledOff(f"shipment {shipment_id} was called off; create a new one")
        if parcel.status != "planned":
            return []
        return self._then(OrderParcelShipped(shipment_id=shipment_id, units=parcel.units))

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
            case OrderPlaced(currency=currency, lines=lines, method=method):
                progress = {
                    line.product_id: Progress(line.quantity, line.unit_price) for line in lines
                }
                return Order(
                    status=Status.PENDING, currency=currency, lines=Lines(progress), method=method
                )
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


def _one_currency(items: Sequence[Item]) -> str:
    currencies = sorted({item.product.price.currency for item in items})
    if len(currencies) != 1:
        raise MixedCurrencies(
            f"the products are priced in {', '.join(currencies)}; place one order per currency"
        )
    return currencies[0]


def _accepted(method: PaymentMethod, items: Sequence[Item]) -> PaymentMethod:
    """Return the method with the account that the money goes to, which the products name."""
    if method.is_card:
        return method
    accounts = {item.product.merchant_account_id for item in items}
    account = accounts.pop()
    if accounts or account is None:
        raise NoWallet("the products are not all paid to one account; pay by card")
    if method.merchant_account_id not in (None, account):
        raise NoWallet(f"the products are paid to {account}, not {method.merchant_account_id}")
    if method.account_id == account:
        raise NoWallet(f"account {account} sells these products and can't pay for them too")
    return msgspec.structs.replace(method, merchant_account_id=account)
