import pytest

from commands.commerce.order import (
    CancelLine,
    CancelOrder,
    CardPart,
    FailOrder,
    LinePart,
    MarkPaid,
    PlaceOrder,
    WalletPart,
)
from domain import MAX_AMOUNT, Invalid, Money, NotFound, ProcessOnly
from domain.commerce.basket import Item, MixedCurrencies, OrderTooLarge
from domain.commerce.line import (
    OrderLineCommitted,
    OrderLineReserved,
)
from domain.commerce.order import (
    Order,
    OrderConfirmed,
    OrderPaid,
    OrderReserved,
)
from domain.commerce.product import Product
from domain.commerce.wallet import NoWallet
from projections.commerce.order import order as order_detail
from projections.commerce.order import orders_of
from tests.commerce.shop import (
    ADDRESS,
    ADDRESS_PART,
    BUYER,
    CARD,
    CUSTOMER,
    LATER,
    MERCHANT,
    ORDER,
    OTHER_ORDER,
    POT,
    TEA,
    WALLET,
    listed,
    named,
    place,
    placed,
    stocked,
)

CONFIRMED = [
    placed(tea=2, pot=1),
    OrderLineReserved(product_id=TEA),
    OrderLineReserved(product_id=POT),
    OrderReserved(),
    OrderLineCommitted(product_id=TEA),
    OrderLineCommitted(product_id=POT),
    OrderConfirmed(),
]
PAID = [*CONFIRMED, OrderPaid(amount=3000)]


def basket(*items, method=CARD):
    return Order().place(CUSTOMER, items, ADDRESS, method, LATER)


def sold(product, merchant=MERCHANT, currency="EUR", price=None):
    item = Product().fold([listed(product, merchant, currency)])
    return Item(product, item.replace(price=price) if price else item, 1)


def test_a_basket_must_make_one_order():
    with pytest.raises(Invalid, match="two lines"):
        basket(sold(TEA), sold(TEA))
    with pytest.raises(MixedCurrencies, match="EUR, USD"):
        basket(sold(TEA), sold(POT, currency="USD"))
    with pytest.raises(OrderTooLarge):
        basket(sold(TEA, price=Money(MAX_AMOUNT, "EUR")), sold(POT))
    with pytest.raises(NotFound):
        basket(Item(TEA, Product(), 1))


def test_a_wallet_pays_the_account_that_the_products_name():
    (fact,) = basket(sold(TEA), method=WALLET)
    assert fact.method == WALLET
    for refused in (
        basket_of_two_merchants := (sold(TEA), sold(POT, merchant=named("other merchant"))),
        (sold(TEA, merchant=None),),
        (sold(TEA, merchant=BUYER),),
        (sold(TEA, merchant=named("other merchant")),),
    ):
        with pytest.raises(NoWallet):
            basket(*refused, method=WALLET)
    assert len(basket(*basket_of_two_merchants)) == 1  # by card


def test_placing_twice_is_placing_once_whatever_became_of_the_products(commerce):
    commerce.given({**stocked(tea=5), ORDER: [placed(tea=2)]})
    commerce.when(place(tea=2), place(tea=1, pot=7)).then()


def test_what_cannot_be_bought_is_refused(commerce):
    commerce.given(stocked(tea=5))
    commerce.when(place(cup=1)).refused(NotFound)
    commerce.when(place(WalletPart(account_id=MERCHANT), tea=1)).refused(NoWallet)
    two_lines = (LinePart(product_id=TEA, quantity=1), LinePart(product_id=TEA, quantity=2))
    commerce.when(
        PlaceOrder(
            customer_id=CUSTOMER,
            lines=two_lines,
            address=ADDRESS_PART,
            payment=CardPart(card_token="tok_approve"),
        )
    ).refused(Invalid)


def test_nobody_but_its_process_says_that_an_order_is_paid(commerce):
    commerce.given({**stocked(tea=5), ORDER: CONFIRMED})
    commerce.when(MarkPaid(order_id=ORDER, amount=3000)).refused(ProcessOnly)
    commerce.when(FailOrder(order_id=ORDER, reason="spite")).refused(ProcessOnly)


def test_orders_are_listed_by_customer_with_the_latest_first(commerce):
    commerce.given({**stocked(tea=5, pot=2), ORDER: PAID, OTHER_ORDER: [placed(tea=1)]})
    rows = commerce.rows(orders_of(CUSTOMER))
    assert [(row["id"], row["status"], row["total"]["amount"]) for row in rows] == [
        (OTHER_ORDER, "pending", 500),
        (ORDER, "paid", 3000),
    ]
    assert commerce.rows(orders_of(BUYER)) == []


def test_the_order_shows_its_lines_and_what_was_cancelled(commerce):
    commerce.given({**stocked(tea=5, pot=2), ORDER: CONFIRMED})
    commerce.when(CancelLine(order_id=ORDER, product_id=TEA, quantity=1))
    shown = commerce.rows(order_detail(ORDER))
    assert [(line["name"], line["quantity"], line["cancelled"]) for line in shown["lines"]] == [
        ("tea", 2, 1),
        ("pot", 1, 0),
    ]
    assert (shown["total"]["amount"], shown["version"]) == (2500, len(CONFIRMED) + 1)
    commerce.when(CancelOrder(order_id=ORDER, reason="all of it"))
    shown = commerce.rows(order_detail(ORDER))
    assert [line["cancelled"] for line in shown["lines"]] == [2, 1]
    assert (shown["status"], shown["reason"]) == ("cancelled", "all of it")


def test_an_unknown_order_cannot_be_cancelled(commerce):
    commerce.when(CancelOrder(order_id=ORDER)).refused(NotFound)
