"""The order process: reserve, authorise, commit, capture, ship; or undo all of it."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.commerce.order import (
    CancelOrder,
    FailOrder,
    MarkPaid,
    NoteCommitted,
    NoteDelivered,
    NoteReserved,
    NoteStockRefused,
)
from commands.commerce.payment import CapturePayment, RequestPayment, ReversePayment
from commands.commerce.refund import RefundUpTo
from commands.commerce.shipment import WithdrawShipment
from commands.commerce.stock import CommitReservation, ReleaseStock, ReserveStock, ShipStock
from domain import Event, Money
from domain.commerce.authorisation import (
    PaymentAuthorised,
    PaymentDeclined,
)
from domain.commerce.line import (
    OrderLineCancelled,
    OrderParcelCalledOff,
    OrderParcelShipped,
)
from domain.commerce.order import (
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderReserved,
    Status,
)
from domain.commerce.payment import (
    CaptureFailed,
    PaymentCaptured,
    PaymentFailed,
    payment_id,
)
from domain.commerce.refund import refund_id
from domain.commerce.shipment import ShipmentDelivered
from domain.commerce.stock import (
    CommitRefused,
    ReservationCommitted,
    ReservationRefused,
    StockReserved,
)
from sagas import Cancel, Deadline, Standing, Step, saga

CONFIRM_WITHIN = timedelta(minutes=30)
"""From placed to confirmed; shorter than its reservations hold."""
PAY_WITHIN = timedelta(days=3)
"""From confirmed to paid: a transfer from a wallet may wait for a person's approval."""


def _stands(order: Order) -> Standing:
    ended = order.status in (Status.DELIVERED, Status.CANCELLED)
    money = Money(order.lines.total, order.currency)
    return Standing(order.status, ended, None if ended else money)


def _compensate(id: UUID, order: Order, reason: str) -> object | None:
    match order.status:
        case Status.PENDING | Status.CONFIRMED:
            return FailOrder(order_id=id, reason=reason)
        case Status.PAID if not order.lines.anything_shipped:
            return CancelOrder(order_id=id, reason=reason)
    return None


@saga(
    process=Order,
    key="order_id",
    stands=_stands,
    compensate=_compensate,
    undoing=(FailOrder, CancelOrder, ReleaseStock, ReversePayment, RefundUpTo, WithdrawShipment),
)
def react(id: UUID, fact: Event, order: Order) -> Iterable[Step]:
    """Say what follows from a fact about the order, its stock, its payment or a shipment."""
    match fact:
        case OrderPlaced(lines=lines, reserve_until=until):
            yield Deadline("paid", CONFIRM_WITHIN, FailOrder(order_id=id, reason="timed_out"))
            for line in lines:
                yield ReserveStock(
                    product_id=line.product_id,
                    order_id=id,
                    quantity=line.quantity,
                    expires_at=until,
                )
        case StockReserved(product_id=product) | ReservationCommitted(product_id=product):
            yield from _held(id, product, fact, order)
        case (
            ReservationRefused(product_id=product, reason=reason)
            | CommitRefused(product_id=product, reason=reason)
        ):
            yield NoteStockRefused(order_id=id, product_id=product, reason=reason)
        case OrderReserved():
            yield _payment(id, order)
        case PaymentAuthorised() if order.status is Status.PENDING:
            for product in order.lines.open:
                yield CommitReservation(product_id=product, order_id=id)
        case OrderConfirmed():
            yield Deadline("paid", PAY_WITHIN, FailOrder(order_id=id, reason="timed_out"))
            yield CapturePayment(payment_id=payment_id(id), amount=order.lines.total)
        case PaymentCaptured(amount=amount):
            yield MarkPaid(order_id=id, amount=amount)
        case OrderPaid(amount=amount):
            yield Cancel("paid")
            if amount > order.lines.total:  # lines were cancelled while it was captured
                yield _refund(id, refund_id(id, "paid"), amount - order.lines.total)
        case OrderLineCancelled(cancellation_id=cut, product_id=product, amount=amount):
            keep = order.lines.by_product[product].remaining
            yield ReleaseStock(product_id=product, order_id=id, keep=keep)
            if order.status is Status.PAID:
                yield _refund(id, refund_id(id, str(cut)), amount)
        case OrderParcelShipped(units=units):
            for part in units:
                keep = order.lines.by_product[part.product_id].remaining
                yield ShipStock(product_id=part.product_id, order_id=id, keep=keep)
        case OrderParcelCalledOff(shipment_id=shipment):
            yield WithdrawShipment(shipment_id=shipment)
        case ShipmentDelivered(shipment_id=shipment):
            yield NoteDelivered(order_id=id, shipment_id=shipment)
        case PaymentDeclined(reason=r) | PaymentFailed(reason=r) | CaptureFailed(reason=r):
            yield FailOrder(order_id=id, reason=r)
        case OrderCancelled(reason=reason):
            yield Cancel("paid")
            for product in order.lines.by_product:
                yield ReleaseStock(product_id=product, order_id=id, keep=0)
            yield ReversePayment(payment_id=payment_id(id), reason=reason)


def _held(
    id: UUID, product: UUID, fact: StockReserved | ReservationCommitted, order: Order
) -> Iterable[Step]:
    """Go on with a line whose units are held; give back those that are not wanted any more."""
    line = order.lines.by_product.get(product)
    keep = line.remaining if line else 0
    if fact.quantity > keep:
        yield ReleaseStock(product_id=product, order_id=id, keep=keep)
    if isinstance(fact, StockReserved):
        yield NoteReserved(order_id=id, product_id=product)
    else:
        yield NoteCommitted(order_id=id, product_id=product)


def _payment(id: UUID, order: Order) -> RequestPayment:
    method = order.method
    return RequestPayment(
        payment_id=payment_id(id),
        order_id=id,
        method="card" if method.is_card else "wallet",
        card_token=method.card_token,
        account_id=method.account_id,
        merchant_account_id=method.merchant_account_id,
        amount=order.lines.total,
        currency=order.currency,
        payer_id=order.customer_id,
    )


def _refund(id: UUID, refund: UUID, amount: int) -> RefundUpTo:
    return RefundUpTo(
        payment_id=payment_id(id), refund_id=refund, amount=amount, reason="line_cancelled"
    )
