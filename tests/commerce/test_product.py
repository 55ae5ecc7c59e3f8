import pytest

from commands.commerce.order import CancelOrder
from commands.commerce.product import (
    AttributePart,
    ChangePrice,
    DiscontinueProduct,
    ListProduct,
    ReviseProduct,
)
from domain import Invalid, Money
from domain.commerce.order import OrderPlaced
from domain.commerce.product import (
    Attribute,
    Details,
    Product,
    ProductDiscontinued,
    ProductRepriced,
    ProductRevised,
    ProductWithdrawn,
)
from projections.commerce.product import catalogue, product
from tests.commerce.matrix import check
from tests.commerce.shop import CUP, MERCHANT, ORDER, POT, TEA, listed, place, stocked

CHAI = Details(name="chai")
withdrawn = ProductWithdrawn(reason="sold out for good")


def test_every_state_of_a_product_answers_every_command():
    check(
        """
                    | new           | listed           | discontinued
        offer       | ProductListed | -                | -
        revise      | not_found     | ProductRevised   | product_discontinued
        price       | not_found     | ProductRepriced  | product_discontinued
        same price  | not_found     | -                | product_discontinued
        discontinue | not_found     | ProductWithdrawn | -
        """,
        Product(),
        {"new": [], "listed": [listed(TEA)], "discontinued": [listed(TEA), withdrawn]},
        {
            "offer": lambda p: p.offer(CHAI, Money(100, "EUR"), None),
            "revise": lambda p: p.revise(CHAI),
            "price": lambda p: p.change_price(Money(600, "EUR")),
            "same price": lambda p: p.change_price(Money(500, "EUR")),
            "discontinue": lambda p: p.discontinue("sold out for good"),
        },
    )


def test_an_attribute_is_given_once():
    twice = Details(name="tea", attributes=(Attribute("size", "L"), Attribute("size", "M")))
    with pytest.raises(Invalid, match="'size' is given twice"):
        Product().offer(twice, Money(1, "EUR"), None)


def test_the_catalogue_shows_what_is_listed_and_how_it_was_revised(commerce):
    listing = ListProduct(
        product_id=TEA,
        name="  tea ",
        category="drinks",
        brand="Leaf",
        sku="T-1",
        attributes=(AttributePart(name="origin", value="Assam"),),
        images=("https://example.org/tea.png",),
        price=500,
        currency="EUR",
        merchant_account_id=MERCHANT,
    )
    commerce.when(listing, listing)
    assert len(commerce.new_facts()) == 1
    commerce.when(
        ReviseProduct(product_id=TEA, name="black tea", category="drinks", brand="Leaf"),
        ChangePrice(product_id=TEA, price=550, currency="EUR"),
    ).then(
        ProductRevised(details=Details(name="black tea", category="drinks", brand="Leaf")),
        ProductRepriced(price=Money(550, "EUR")),
    )
    (row,) = commerce.rows(product(TEA))
    assert row["name"] == "black tea"
    assert row["price"] == {"amount": 550, "currency": "EUR"}
    assert (row["attributes"], row["images"], row["version"]) == ([], [], 3)


def test_the_catalogue_is_filtered_by_category_and_brand(commerce):
    def offered(name, category, brand):
        return ListProduct(name=name, category=category, brand=brand, price=1, currency="EUR")

    commerce.when(
        offered("tea", "drinks", "Leaf"),
        offered("coffee", "drinks", "Bean"),
        offered("pot", "kitchen", "Leaf"),
    )

    def names(**by):
        return [row["name"] for row in commerce.rows(catalogue(**by))]

    assert names() == ["pot", "coffee", "tea"]
    assert names(category="drinks") == ["coffee", "tea"]
    assert names(brand="Leaf") == ["pot", "tea"]
    assert names(category="kitchen", brand="Bean") == []


def test_a_discontinued_product_is_shown_alone_but_never_listed(commerce):
    commerce.given(stocked(tea=1, pot=1)).when(
        DiscontinueProduct(product_id=TEA, reason="sold out for good")
    ).then(withdrawn)
    assert [row["id"] for row in commerce.rows(catalogue())] == [POT]
    assert [row["id"] for row in commerce.rows(catalogue(category="kitchen"))] == [POT]
    assert commerce.rows(product(TEA))[0]["status"] == "discontinued"
    commerce.when(place(tea=1)).refused(ProductDiscontinued)


def test_an_order_keeps_the_price_it_was_placed_at(commerce):
    commerce.given(stocked(cup=5)).when(
        place(cup=2), ChangePrice(product_id=CUP, price=999, currency="EUR")
    )
    (placed,) = [fact for fact in commerce.new_facts() if isinstance(fact, OrderPlaced)]
    assert [(line.unit_price, line.name) for line in placed.lines] == [(300, "cup")]
    commerce.when(CancelOrder(order_id=ORDER))
    assert "999" not in repr(commerce.new_facts())
