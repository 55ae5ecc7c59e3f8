"""A product that is for sale: what it is, what it costs, and whether it can still be bought."""

from enum import StrEnum
from uuid import UUID

import msgspec

from domain import Event, Invalid, Money, NotFound, Refused, State

MAX_ATTRIBUTES = 50
MAX_IMAGES = 20


class ProductDiscontinued(Refused, code="product_discontinued"):
    """A discontinued product can be neither changed nor bought."""


class Attribute(msgspec.Struct, frozen=True):
    """One named property of a product: colour, size, licence."""

    name: str
    value: str


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer reads about a product."""

    name: str
    description: str = ""
    category: str = ""
    brand: str = ""
    sku: str | None = None
    """The seller's own number for it."""
    attributes: tuple[Attribute, ...] = ()
    images: tuple[str, ...] = ()
    """Addresses of pictures, the main one first."""


class ProductListed(Event, frozen=True):
    """The product is for sale."""

    TOPIC = "commerce.product.listed"
    details: Details
    price: Money
    merchant_account_id: UUID | None = None
    """The banking account that wallet payments for it go to; without one, cards only."""


class ProductRevised(Event, frozen=True):
    """What customers read about it changed."""

    TOPIC = "commerce.product.revised"
    details: Details


class ProductRepriced(Event, frozen=True):
    """It costs something else from now on; orders already placed keep their price."""

    TOPIC = "commerce.product.repriced"
    price: Money


class ProductWithdrawn(Event, frozen=True):
    """It is no longer for sale, for good."""

    TOPIC = "commerce.product.withdrawn"
    reason: str


class Status(StrEnum):
    """Whether a product can be bought."""

    NEW = "new"
    LISTED = "listed"
    DISCONTINUED = "discontinued"


class Product(State, frozen=True):
    """What a product remembers in order to decide."""

    KIND = "commerce.product"
    status: Status = Status.NEW
    details: Details = Details(name="")
    price: Money = Money(0, "")
    merchant_account_id: UUID | None = None

    def offer(
        self, details: Details, price: Money, merchant_account_id: UUID | None
    ) -> list[Event]:
        """Offer it for sale."""
        if self.status is not Status.NEW:
            return []
        _check_unique(details)
        return [
            ProductListed(details=details, price=price, merchant_account_id=merchant_account_id)
        ]

    def revise(self, details: Details) -> list[Event]:
        """Replace what customers read."""
        self.check_on_sale()
        _check_unique(details)
        return [] if details == self.details else [ProductRevised(details=details)]

    def change_price(self, price: Money) -> list[Event]:
        """Set the price of orders placed from now on."""
        self.check_on_sale()
        return [] if price == self.price else [ProductRepriced(price=price)]

    def discontinue(self, reason: str) -> list[Event]:
        """Take it off sale for good."""
        self.check_known()
        return [] if self.status is Status.DISCONTINUED else [ProductWithdrawn(reason=reason)]

    def check_known(self) -> None:
        """Refuse a product that was never listed."""
        if self.status is Status.NEW:
            raise NotFound("no such product; list it first")

    def check_on_sale(self) -> None:
        """Refuse a product that can't be bought."""
        self.check_known()
        if self.status is Status.DISCONTINUED:
            raise ProductDiscontinued(
                f"{self.details.name} is discontinued; choose another product"
            )

    def evolve(self, event: Event) -> "Product":
        """Return the product after `event`."""
        match event:
            case ProductListed(details=details, price=price, merchant_account_id=account):
                return Product(
                    status=Status.LISTED, details=details, price=price, merchant_account_id=account
                )
            case ProductRevised(details=details):
                return self.replace(details=details)
            case ProductRepriced(price=price):
                return self.replace(price=price)
            case ProductWithdrawn():
                return self.replace(status=Status.DISCONTINUED)
        return self


def _check_unique(details: Details) -> None:
    names = [attribute.name for attribute in details.attributes]
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"the attribute {name!r} is given twice; give it once")
