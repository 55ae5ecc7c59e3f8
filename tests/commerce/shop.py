"""A small shop for the tests: three products, a customer, and short ways to order from it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from commands.commerce.order import AddressPart, CardPart, LinePart, PlaceOrder, WalletPart
from domain import Event, Money
from domain.commerce.gateway import PaymentMethod
from domain.commerce.line import Line
from domain.commerce.order import Address, OrderPlaced
from domain.commerce.payment import payment_id
from domain.commerce.product import Details, ProductListed
from domain.commerce.stock import StockReceived, stock_id

NAMESPACE = UUID("0b9e3a52-66f4-4ad5-8b3c-7a3c7a1f0000")


def named(name: str) -> UUID:
    """Return the id that a name stands for in these tests."""
    return uuid5(NAMESPACE, name)


TEA, POT, CUP = named("tea"), named("pot"), named("cup")
ORDER, OTHER_ORDER = named("order"), named("other order")
PAYMENT = payment_id(ORDER)
CUSTOMER, BUYER, MERCHANT = named("customer"), named("buyer"), named("merchant")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

PRICES = {TEA: 500, POT: 2_000, CUP: 300}
NAMES = {TEA: "tea", POT: "pot", CUP: "cup"}
ADDRESS = Address(
    recipient="Ada Buyer", street="1 High Street", postcode="10115", city="Berlin", country="DE"
)
ADDRESS_PART = AddressPart(
    recipient="Ada Buyer", street="1 High Street", postcode="10115", city="Berlin", country="DE"
)
CARD = PaymentMethod(kind="card", card_token="tok_approve")
WALLET = PaymentMethod(kind="wallet", account_id=BUYER, merchant_account_id=MERCHANT)


def listed(product: UUID, merchant: UUID | None = MERCHANT, currency: str = "EUR") -> ProductListed:
    """The product is for sale."""
    return ProductListed(
        details=Details(name=NAMES[product], category="kitchen", brand="Aorist"),
        price=Money(PRICES[product], currency),
        merchant_account_id=merchant,
    )


def received(product: UUID, quantity: int) -> StockReceived:
    """Units of it arrived."""
    return StockReceived(product_id=product, receipt_id=named("receipt"), quantity=quantity)


def stocked(**quantities: int) -> dict[UUID, list[Event]]:
    """The history of a shop: each product for sale, with so many pieces on hand."""
    history: dict[UUID, list[Event]] = {}
    for name, quantity in quantities.items():
        product = named(name)
        history[product] = [listed(product)]
        if quantity:
            history[stock_id(product)] = [received(product, quantity)]
    return history


def line(product: UUID, quantity: int) -> Line:
    """A line as an order keeps it."""
    return Line(
        product_id=product, quantity=quantity, unit_price=PRICES[product], name=NAMES[product]
    )


def placed(method: PaymentMethod = CARD, **quantities: int) -> OrderPlaced:
    """The customer ordered so many of each."""
    return OrderPlaced(
        customer_id=CUSTOMER,
        currency="EUR",
        lines=tuple(line(named(name), quantity) for name, quantity in quantities.items()),
        address=ADDRESS,
        method=method,
        reserve_until=LATER,
    )


def place(
    payment: CardPart | WalletPart | str = "tok_approve", order: UUID = ORDER, **quantities: int
) -> PlaceOrder:
    """The command that orders so many of each, paid by a card token or as said."""
    return PlaceOrder(
        order_id=order,
        customer_id=CUSTOMER,
        lines=tuple(
            LinePart(product_id=named(name), quantity=quantity)
            for name, quantity in quantities.items()
        ),
        address=ADDRESS_PART,
        payment=CardPart(card_token=payment) if isinstance(payment, str) else payment,
    )
