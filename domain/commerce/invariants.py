"""What must hold over the whole log of commerce, watched fact by fact."""

from collections import defaultdict
from uuid import UUID

from domain import Event, Watcher
from domain.commerce.authorisation import (
    AuthorisedTooLate,
    PaymentAuthorised,
    PaymentVoided,
)
from domain.commerce.line import OrderLineCancelled, OrderParcelShipped
from domain.commerce.order import OrderCancelled, OrderPlaced
from domain.commerce.payment import (
    PaymentCaptured,
)
from domain.commerce.refund import PaymentRefunded
from domain.commerce.stock import (
    ReservationCommitted,
    ReservationExpired,
    StockAdjusted,
    StockReceived,
    StockReleased,
    StockReserved,
    StockReturned,
    StockShipped,
)


def watch() -> list[Watcher]:
    """Return fresh watchers for one walk through the log."""
    return [StockNotNegative(), HoldingsAddUp(), MoneyInBounds(), LinesInBounds()]


class StockNotNegative(Watcher):
    """No product has fewer units on hand than are held for orders, and never fewer than none."""

    name = "stock is never negative or oversold"

    def __init__(self) -> None:
        super().__init__()
        self._on_hand: dict[UUID, int] = defaultdict(int)
        self._reserved: dict[UUID, int] = defaultdict(int)

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case StockReceived(quantity=n) | StockAdjusted(change=n) | StockReturned(quantity=n):
                self._on_hand[stream] += n
            case StockReserved(quantity=n):
                self._reserved[stream] += n
            case StockReleased(quantity=n) | ReservationExpired(quantity=n):
                self._reserved[stream] -= n
            case ReservationCommitted(quantity=n):
                self._on_hand[stream] -= n
                self._reserved[stream] -= n
            case _:
                return
        on_hand, reserved = self._on_hand[stream], self._reserved[stream]
        self.require(
            0 <= reserved <= on_hand, f"stock {stream}: {on_hand} on hand, {reserved} reserved"
        )


class HoldingsAddUp(Watcher):
    """An order gives back, commits and ships only what it holds of a product, each unit once."""

    name = "every reserved unit is used at most once"

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[tuple[UUID, UUID], int] = defaultdict(int)
        self._committed: dict[tuple[UUID, UUID], int] = defaultdict(int)

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case StockReserved(order_id=order, quantity=n):
                self._held[stream, order] += n
            case (
                StockReleased(order_id=order, quantity=n)
                | ReservationExpired(order_id=order, quantity=n)
            ):
                self._held[stream, order] -= n
            case ReservationCommitted(order_id=order, quantity=n):
                self._held[stream, order] -= n
                self._committed[stream, order] += n
            case (
                StockReturned(order_id=order, quantity=n) | StockShipped(order_id=order, quantity=n)
            ):
                self._committed[stream, order] -= n
            case _:
                return
        held, committed = self._held[stream, order], self._committed[stream, order]
        self.require(
            held >= 0 and committed >= 0,
            f"stock {stream}, order {order}: {held} held, {committed} committed",
        )


class MoneyInBounds(Watcher):
    """Captured at most what is authorised, once; refunded at most what is captured."""

    name = "captured <= authorised, refunded <= captured"

    def __init__(self) -> None:
        super().__init__()
        self._authorised: dict[UUID, int] = defaultdict(int)
        self._captured: dict[UUID, int] = {}
        self._refunded: dict[UUID, int] = defaultdict(int)

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case PaymentAuthorised(amount=amount) | AuthorisedTooLate(amount=amount):
                self._authorised[stream] = amount
            case PaymentVoided():
                self._authorised[stream] = 0
                self.require(stream not in self._captured, f"payment {stream}: captured and void")
            case PaymentCaptured(amount=amount):
                self.require(stream not in self._captured, f"payment {stream}: captured twice")
                self._captured[stream] = amount
                authorised = self._authorised[stream]
                self.require(
                    amount <= authorised,
                    f"payment {stream}: captured {amount} of {authorised} authorised",
                )
            case PaymentRefunded(amount=amount):
                self._refunded[stream] += amount
                refunded, captured = self._refunded[stream], self._captured.get(stream, 0)
                self.require(
                    refunded <= captured,
                    f"payment {stream}: refunded {refunded} of {captured} captured",
                )


class LinesInBounds(Watcher):
    """Of each line, cancelled and shipped units together are at most what was ordered."""

    name = "cancelled + shipped <= ordered"

    def __init__(self) -> None:
        super().__init__()
        self._left: dict[tuple[UUID, UUID], int] = defaultdict(int)

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case OrderPlaced(lines=lines):
                for line in lines:
                    self._left[stream, line.product_id] = line.quantity
            case OrderLineCancelled(product_id=product, quantity=n):
                self._take(stream, product, n)
            case OrderParcelShipped(units=units) | OrderCancelled(units=units):
                for part in units:
                    self._take(stream, part.product_id, part.quantity)

    def _take(self, order: UUID, product: UUID, quantity: int) -> None:
        self._left[order, product] -= quantity
        left = self._left[order, product]
        self.require(left >= 0, f"order {order}, product {product}: {-left} more than were ordered")
