"""The facts of an order of two teas and a pot, as its process writes them one after the other."""

from datetime import datetime

from commands import Caller
from domain import Event, Money
from domain.commerce.authorisation import PaymentAuthorised, PaymentVoided, VoidRequested
from domain.commerce.gateway import PaymentMethod
from domain.commerce.line import OrderLineCommitted, OrderLineReserved
from domain.commerce.order import (
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderReserved,
)
from domain.commerce.payment import CaptureRequested, PaymentCaptured, PaymentRequested
from domain.commerce.process import ACQUIRER
from domain.commerce.shipment import Units
from domain.commerce.stock import (
    ReservationCommitted,
    Stock,
    StockReleased,
    StockReserved,
    StockReturned,
    stock_id,
)
from tests.commerce.shop import ADDRESS, CUSTOMER, ORDER, PAYMENT, POT, TEA, line, place, stocked
from tests.scenario import Scenario

BY_ACQUIRER = Caller(actor=ACQUIRER)
ALL = (Units(TEA, 2), Units(POT, 1))


def card(token: str) -> PaymentMethod:
    return PaymentMethod(kind="card", card_token=token)


def until(scenario: Scenario) -> datetime:
    """Until when the order's reservations hold: the scenario's clock is not a constant."""
    (placed,) = [fact for fact, _ in scenario.facts() if isinstance(fact, OrderPlaced)]
    return placed.reserve_until


def reserved(scenario: Scenario, method: PaymentMethod) -> list[Event]:
    """Placed, every line held, the money asked for."""
    holds = until(scenario)
    return [
        OrderPlaced(
            customer_id=CUSTOMER,
            currency="EUR",
            lines=(line(TEA, 2), line(POT, 1)),
            address=ADDRESS,
            method=method,
            reserve_until=holds,
        ),
        StockReserved(product_id=TEA, order_id=ORDER, quantity=2, expires_at=holds),
        StockReserved(product_id=POT, order_id=ORDER, quantity=1, expires_at=holds),
        OrderLineReserved(product_id=TEA),
        OrderLineReserved(product_id=POT),
        OrderReserved(),
        PaymentRequested(
            order_id=ORDER,
            reference=str(PAYMENT),
            method=method,
            amount=Money(3000, "EUR"),
            payer_id=CUSTOMER,
        ),
    ]


AUTHORISED: list[Event] = [PaymentAuthorised(order_id=ORDER, amount=3000)]
CONFIRMED: list[Event] = [
    *AUTHORISED,
    ReservationCommitted(product_id=TEA, order_id=ORDER, quantity=2),
    ReservationCommitted(product_id=POT, order_id=ORDER, quantity=1),
    OrderLineCommitted(product_id=TEA),
    OrderLineCommitted(product_id=POT),
    OrderConfirmed(),
    CaptureRequested(order_id=ORDER, amount=3000),
]
CAPTURED: list[Event] = [PaymentCaptured(order_id=ORDER, amount=3000), OrderPaid(amount=3000)]
RELEASED: list[Event] = [
    StockReleased(product_id=TEA, order_id=ORDER, quantity=2),
    StockReleased(product_id=POT, order_id=ORDER, quantity=1),
]
RETURNED: list[Event] = [
    StockReturned(product_id=TEA, order_id=ORDER, quantity=2),
    StockReturned(product_id=POT, order_id=ORDER, quantity=1),
]
VOIDED = PaymentVoided(order_id=ORDER)


def cancelled(reason: str) -> OrderCancelled:
    return OrderCancelled(reason=reason, units=ALL)


def void_requested(reason: str) -> VoidRequested:
    return VoidRequested(order_id=ORDER, reason=reason)


def undone(scenario: Scenario) -> bool:
    """Whether stock holds nothing for the order, of 5 teas and 2 pots."""
    tea, pot = (scenario.state(Stock, stock_id(product)) for product in (TEA, POT))
    return (tea.on_hand, tea.holdings, pot.on_hand, pot.holdings) == (5, {}, 2, {})


def ordered(scenario: Scenario, token: str = "tok_approve") -> Scenario:
    """Somebody orders two teas and a pot from a stock of five and two."""
    return scenario.given(stocked(tea=5, pot=2)).when(place(token, tea=2, pot=1))


def answered_late(scenario: Scenario) -> Scenario:
    """Deliver the acquirer's late answers."""
    late = [*scenario.acquirer.late]
    scenario.acquirer.late.clear()
    assert late
    return scenario.when(*late, by=BY_ACQUIRER)
