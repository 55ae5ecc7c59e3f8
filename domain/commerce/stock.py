"""The stock of one product: what is on hand, what is held for orders, never more than there is."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from domain import Event, Invalid, Refused, State

STREAMS = UUID("6d1c0f5e-3b0a-4c0e-9a51-6f2f7a1f3c01")
MAX_OPEN_ORDERS = 10_000
"""Orders that one product's stock holds units for, shipped ones not counted."""
MOVEMENTS_REMEMBERED = 64
"""Receipts and adjustments of which a repeat is still recognised."""
MAX_ON_HAND = 10**12


def stock_id(product_id: UUID) -> UUID:
    """Return the stream of the stock of a product."""
    return uuid5(STREAMS, str(product_id))


class StockTooLow(Refused, code="stock_too_low"):
    """An adjustment would take away units that are not there, or that orders hold."""


class StockTooHigh(Refused, code="stock_too_high"):
    """More units than one product may have."""


class StockReceived(Event, frozen=True):
    """Units arrived."""

    TOPIC = "commerce.stock.received"
    product_id: UUID
    receipt_id: UUID
    quantity: int


class StockAdjusted(Event, frozen=True):
    """A count found more or fewer units than the books said."""

    TOPIC = "commerce.stock.adjusted"
    product_id: UUID
    adjustment_id: UUID
    change: int
    reason: str


class StockReserved(Event, frozen=True):
    """Units are held for an order, until the moment given."""

    TOPIC = "commerce.stock.reserved"
    product_id: UUID
    order_id: UUID
    quantity: int
    expires_at: datetime


class ReservationRefused(Event, frozen=True):
    """The order gets none of this product."""

    TOPIC = "commerce.stock.reservation_refused"
    product_id: UUID
    order_id: UUID
    quantity: int
    reason: str


class ReservationExpired(Event, frozen=True):
    """The units held for an order are free again: it took too long."""

    TOPIC = "commerce.stock.reservation_expired"
    product_id: UUID
    order_id: UUID
    quantity: int


class ReservationCommitted(Event, frozen=True):
    """The held units belong to the order now; they only have to be shipped."""

    TOPIC = "commerce.stock.reservation_committed"
    product_id: UUID
    order_id: UUID
    quantity: int


class CommitRefused(Event, frozen=True):
    """The order had no valid reservation left to commit."""

    TOPIC = "commerce.stock.commit_refused"
    product_id: UUID
    order_id: UUID
    reason: str


class StockReleased(Event, frozen=True):
    """Held units of an order are free again."""

    TOPIC = "commerce.stock.released"
    product_id: UUID
    order_id: UUID
    quantity: int


class StockReturned(Event, frozen=True):
    """Committed units of an order that were not shipped are on hand again."""

    TOPIC = "commerce.stock.returned"
    product_id: UUID
    order_id: UUID
    quantity: int


class StockShipped(Event, frozen=True):
    """Committed units of an order left the house."""

    TOPIC = "commerce.stock.shipped"
    product_id: UUID
    order_id: UUID
    quantity: int


class Holding(msgspec.Struct, frozen=True):
    """The units kept for one order: held until `expires_at`, or committed when that is None."""

    quantity: int
    expires_at: datetime | None


class Stock(State, frozen=True):
    """What the stock of one product remembers in order to decide."""

    KIND = "commerce.stock"
    on_hand: int = 0
    """Units in the house, without the committed ones."""
    reserved: int = 0
    """Units of `on_hand` that are held; the sum of the holdings that can expire."""
    holdings: Mapping[UUID, Holding] = {}
    """By order; at most MAX_OPEN_ORDERS."""
    movements: tuple[UUID, ...] = ()

    @property
    def available(self) -> int:
        """Units that an order can have now, expired reservations not counted back yet."""
        return self.on_hand - self.reserved

    def receive(self, product_id: UUID, receipt_id: UUID, quantity: int) -> list[Event]:
        """Take units in."""
        if receipt_id in self.movements:
            return []
        self._check_room(quantity)
        return [StockReceived(product_id=product_id, receipt_id=receipt_id, quantity=quantity)]

    def adjust(
        self, product_id: UUID, adjustment_id: UUID, change: int, reason: str, now: datetime
    ) -> list[Event]:
        """Correct the number on hand; it never goes below what orders hold."""
        if adjustment_id in self.movements:
            return []
        if change == 0:
            raise Invalid("an adjustment of 0 units changes nothing; give the difference found")
        self._check_room(change)
        facts: list[Event] = []
        if self.available + change < 0:
            facts = self._expire(product_id, now)
        free = self.fold(facts).available
        if free + change < 0:
            raise StockTooLow(
                f"{-change} units cannot go: {free} are free, {self.on_hand} on hand; "
                "cancel orders that hold them first"
            )
        adjusted = StockAdjusted(
            product_id=product_id, adjustment_id=adjustment_id, change=change, reason=reason
        )
        return [*facts, adjusted]

    def reserve(
        self, product_id: UUID, order_id: UUID, quantity: int, expires_at: datetime, now: datetime
    ) -> list[Event]:
        """Hold units for an order, or say why not."""
        if order_id in self.holdings:
            return []
        facts: list[Event] = []
        if self.available < quantity or len(self.holdings) >= MAX_OPEN_ORDERS:
            facts = self._expire(product_id, now)
        after = self.fold(facts)
        reason = None
        if expires_at <= now:
            reason = "too_late"
        elif after.available < quantity:
            reason = "out_of_stock"
        elif len(after.holdings) >= MAX_OPEN_ORDERS:
            reason = "too_many_open_orders"
        if reason:
            refused = ReservationRefused(
                product_id=product_id, order_id=order_id, quantity=quantity, reason=reason
            )
            return [*facts, refused]
        reserved = StockReserved(
            product_id=product_id, order_id=order_id, quantity=quantity, expires_at=expires_at
        )
        return [*facts, reserved]

    def commit(self, product_id: UUID, order_id: UUID, now: datetime) -> list[Event]:
        """Give the held units to the order, once, or say why not."""
        holding = self.holdings.get(order_id)
        if holding is None:
            refused = CommitRefused(product_id=product_id, order_id=order_id, reason="not_reserved")
            return [refused]
        if holding.expires_at is None:
            return []
        quantity = holding.quantity
        if holding.expires_at <= now:
            return [
                ReservationExpired(product_id=product_id, order_id=order_id, quantity=quantity),
                CommitRefused(product_id=product_id, order_id=order_id, reason="expired"),
            ]
        return [ReservationCommitted(product_id=product_id, order_id=order_id, quantity=quantity)]

    def release(self, product_id: UUID, order_id: UUID, keep: int) -> list[Event]:
        """Free what is kept for an order beyond `keep` units.

        It names what stays instead of what goes, so that saying it twice frees nothing twice.
        """
        holding = self.holdings.get(order_id)
        if holding is None or holding.quantity <= keep:
            return []
        quantity = holding.quantity - keep
        if holding.expires_at is None:
            return [StockReturned(product_id=product_id, order_id=order_id, quantity=quantity)]
        return [StockReleased(product_id=product_id, order_id=order_id, quantity=quantity)]

    def ship(self, product_id: UUID, order_id: UUID, keep: int) -> list[Event]:
        """Let go of committed units beyond the `keep` that the order still has to get."""
        holding = self.holdings.get(order_id)
        if holding is None or holding.expires_at is not None or holding.quantity <= keep:
            return []
        quantity = holding.quantity - keep
        return [StockShipped(product_id=product_id, order_id=order_id, quantity=quantity)]

    def evolve(self, event: Event) -> "Stock":
        """Return the stock after `event`."""
        match event:
            case StockReceived(receipt_id=id, quantity=n):
                return self._moved(id, n)
            case StockAdjusted(adjustment_id=id, change=n):
                return self._moved(id, n)
            case StockReserved(order_id=id, quantity=n, expires_at=until):
                holdings = {**self.holdings, id: Holding(n, until)}
                return self.replace(reserved=self.reserved + n, holdings=holdings)
            case ReservationCommitted(order_id=id, quantity=n):
                holdings = {**self.holdings, id: Holding(n, None)}
                return self.replace(
                    on_hand=self.on_hand - n, reserved=self.reserved - n, holdings=holdings
                )
            case (
                ReservationExpired(order_id=id, quantity=n) | StockReleased(order_id=id, quantity=n)
            ):
                return self.replace(reserved=self.reserved - n, holdings=self._without(id, n))
            case StockReturned(order_id=id, quantity=n):
                return self.replace(on_hand=self.on_hand + n, holdings=self._without(id, n))
            case StockShipped(order_id=id, quantity=n):
                return self.replace(holdings=self._without(id, n))
        return self

    def _check_room(self, change: int) -> None:
        if self.on_hand + change > MAX_ON_HAND:
            raise StockTooHigh(
                f"{self.on_hand} on hand and {change} more exceed {MAX_ON_HAND} units of a product"
            )

    def _expire(self, product_id: UUID, now: datetime) -> list[Event]:
        return [
            ReservationExpired(product_id=product_id, order_id=id, quantity=holding.quantity)
            for id, holding in self.holdings.items()
            if holding.expires_at is not None and holding.expires_at <= now
        ]

    def _moved(self, id: UUID, change: int) -> "Stock":
        movements = (*self.movements, id)[-MOVEMENTS_REMEMBERED:]
        return self.replace(on_hand=self.on_hand + change, movements=movements)

    def _without(self, order_id: UUID, quantity: int) -> dict[UUID, Holding]:
        holdings = dict(self.holdings)
        left = holdings.pop(order_id, None)
        if left is not None and left.quantity > quantity:
            holdings[order_id] = Holding(left.quantity - quantity, left.expires_at)
        return holdings
