"""What must hold over the whole log of commerce, watched fact by fact."""

from uuid import UUID

from domain import Event, Watcher
from domain.commerce.authorisation import (
    AuthorisedTooLate,
    PaymentAuthorised,
    PaymentVoided,
)
from domain.commerce.line import OrderLineCancelled, OrderParcelShipped
from domain.commerce.order import OrderCancelled, OrderPlaced
from domain.commerce.payment import PaymentCaptured
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

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case StockReceived(quantity=n) | StockAdjusted(change=n) | StockReturned(quantity=n):
                self._move(stream, n, 0)
            case StockReserved(quantity=n):
                self._move(stream, 0, n)
            case StockReleased(quantity=n) | ReservationExpired(quantity=n):
                self._move(stream, 0, -n)
            case ReservationCommitted(quantity=n):
                self._move(stream, -n, -n)

    def _move(self, stream: UUID, on_hand: int, reserved: int) -> None:
        lacked = self._lack(stream)
        on_hand = self.add(on_hand, "on hand", stream)
        reserved = self.add(reserved, "reserved", stream)
        self.require(
            self._lack(stream) <= lacked, f"stock {stream}: {on_hand} on hand, {reserved} reserved"
        )

    def _lack(self, stream: UUID) -> int:
        """Return how many units are missing: a fact that makes them more has broken the rule."""
        on_hand, reserved = self.number("on hand", stream), self.number("reserved", stream)
        return max(0, reserved - on_hand) + max(0, -reserved)


class HoldingsAddUp(Watcher):
    """An order gives back, commits and ships only what it holds of a product, each unit once."""

    name = "every reserved unit is used at most once"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case StockReserved(order_id=order, quantity=n):
                self._move(stream, order, n, 0)
            case (
                StockReleased(order_id=order, quantity=n)
                | ReservationExpired(order_id=order, quantity=n)
            ):
                self._move(stream, order, -n, 0)
            case ReservationCommitted(order_id=order, quantity=n):
                self._move(stream, order, -n, n)
            case (
                StockReturned(order_id=order, quantity=n) | StockShipped(order_id=order, quantity=n)
            ):
                self._move(stream, order, 0, -n)

    def _move(self, stream: UUID, order: UUID, held: int, committed: int) -> None:
        taken = held < 0, committed < 0
        held = self.add(held, "held", stream, order)
        committed = self.add(committed, "committed", stream, order)
        self.require(
            not (taken[0] and held < 0) and not (taken[1] and committed < 0),
            f"stock {stream}, order {order}: {held} held, {committed} committed",
        )


class MoneyInBounds(Watcher):
    """Captured at most what is authorised, once; refunded at most what is captured."""

    name = "captured <= authorised, refunded <= captured"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        is_captured = self.knows("captured", stream)
        match fact:
            case PaymentAuthorised(amount=amount) | AuthorisedTooLate(amount=amount):
                self.keep(amount, "authorised", stream)
            case PaymentVoided():
                self.keep(0, "authorised", stream)
                self.require(not is_captured, f"payment {stream}: captured and void")
            case PaymentCaptured(amount=amount):
                self.require(not is_captured, f"payment {stream}: captured twice")
                self.keep(amount, "captured", stream)
                authorised = self.number("authorised", stream)
                self.require(
                    amount <= authorised,
                    f"payment {stream}: captured {amount} of {authorised} authorised",
                )
            case PaymentRefunded(amount=amount):
                refunded = self.add(amount, "refunded", stream)
                captured = self.number("captured", stream)
                self.require(
                    refunded <= captured,
                    f"payment {stream}: refunded {refunded} of {captured} captured",
                )


class LinesInBounds(Watcher):
    """Of each line, cancelled and shipped units together are at most what was ordered."""

    name = "cancelled + shipped <= ordered"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case OrderPlaced(lines=lines):
                for line in lines:
                    self.keep(line.quantity, "left", stream, line.product_id)
            case OrderLineCancelled(product_id=product, quantity=n):
                self._take(stream, product, n)
            case OrderParcelShipped(units=units) | OrderCancelled(units=units):
                for part in units:
                    self._take(stream, part.product_id, part.quantity)

    def _take(self, order: UUID, product: UUID, quantity: int) -> None:
        left = self.add(-quantity, "left", order, product)
        self.require(left >= 0, f"order {order}, product {product}: {-left} more than were ordered")
