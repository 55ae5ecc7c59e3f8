"""Long histories made quickly: valid facts of whole lives, copied into an empty log."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from random import Random
from uuid import UUID

import msgspec
import psycopg

from domain import Event
from domain.banking.account import AccountOpened
from domain.banking.external import MoneyEntered, external_id
from domain.banking.posting import MoneyDeposited
from domain.commerce.gateway import PaymentMethod
from domain.commerce.line import (
    Line,
    OrderLineCommitted,
    OrderLineReserved,
    OrderParcelDelivered,
    OrderParcelPlanned,
    OrderParcelShipped,
)
from domain.commerce.order import (
    Address,
    OrderConfirmed,
    OrderDelivered,
    OrderPaid,
    OrderPlaced,
    OrderReserved,
    OrderShipped,
)
from domain.commerce.shipment import Units
from domain.social.follow import Followed
from domain.social.like import Liked
from domain.social.post import Content, PostDrafted, PostPublished
from domain.social.profile import ProfileCreated
from tests.bench.bench import Bench
from tests.bench.ours import TELLER

CHUNK = 100_000
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
SEED = 7
ACCOUNTS = 10_000
"""Of which each has the same share of the deposits, in no order."""
LINES, LIKES = 2, 4

Made = tuple[UUID, Event]
"""The stream and the fact; versions follow."""


def uuid(kind: int, number: int) -> UUID:
    """Return ids in order of time, as the program makes them."""
    return UUID(int=(1_700_000_000_000 + number) << 80 | 7 << 76 | kind << 64 | 2 << 62 | number)


def deposits() -> Iterator[Made]:
    """Accounts, then deposits without end: two facts on two streams each."""
    dice = Random(SEED)
    balances = [0] * ACCOUNTS
    parts = [external_id("cash", "EUR", uuid(1, n)) for n in range(ACCOUNTS)]
    for n in range(ACCOUNTS):
        number = f"{n:08}"
        yield (
            uuid(1, n),
            AccountOpened(holder_id=uuid(2, n), kind="checking", currency="EUR", number=number),
        )
    for made in count():
        n = dice.randrange(ACCOUNTS)
        balances[n] += 100
        id, account = uuid(3, made), uuid(1, n)
        came, left = balances[n], -balances[n]
        yield (
            account,
            MoneyDeposited(deposit_id=id, amount=100, currency="EUR", balance=came, source="cash"),
        )
        yield (
            parts[n],
            MoneyEntered(
                posting_id=id,
                account_id=account,
                name="cash",
                currency="EUR",
                amount=100,
                balance=left,
            ),
        )


def orders() -> Iterator[Made]:
    """Orders of two lines without end, each from its beginning to its delivery."""
    address = Address(
        recipient="Ada", street="Lane 1", postcode="10115", city="Berlin", country="DE"
    )
    for n in count():
        order, shipment = uuid(1, n), uuid(2, n)
        products = [uuid(3, (n * LINES + k) % 1_000) for k in range(LINES)]
        lines = [Line(product_id=p, quantity=1, unit_price=500, name="a book") for p in products]
        units = tuple(Units(product_id=p, quantity=1) for p in products)
        placed = OrderPlaced(
            customer_id=uuid(4, n % 5_000),
            currency="EUR",
            lines=tuple(lines),
            address=address,
            method=PaymentMethod(kind="card", card_token="tok_1"),
            reserve_until=BEGAN,
        )
        facts: list[Event] = [
            placed,
            *(OrderLineReserved(product_id=p) for p in products),
            OrderReserved(),
            OrderConfirmed(),
            *(OrderLineCommitted(product_id=p) for p in products),
            OrderPaid(amount=500 * LINES),
            OrderParcelPlanned(shipment_id=shipment, units=units),
            OrderParcelShipped(shipment_id=shipment, units=units),
            OrderShipped(),
            OrderParcelDelivered(shipment_id=shipment),
            OrderDelivered(),
        ]
        for fact in facts:
            yield order, fact


def posts() -> Iterator[Made]:
    """Members without end who follow others, write a post, and like some of the last posts."""
    for n in count():
        member, post = uuid(1, n), uuid(2, n)
        yield member, ProfileCreated(name=f"member {n}")
        others = [uuid(1, m) for m in range(max(0, n - LIKES), n)]
        for k, other in enumerate(others):
            yield uuid(3, n * LIKES + k), Followed(follower=member, followee=other)
        yield post, PostDrafted(author=member, content=Content("a text of some words " * 4))
        yield post, PostPublished(author=member, revision=1)
        for k, m in enumerate(range(max(0, n - LIKES), n)):
            yield uuid(4, n * LIKES + k), Liked(post_id=uuid(2, m), member_id=member)


HISTORIES: dict[str, Callable[[], Iterator[Made]]] = {
    "banking": deposits,
    "commerce": orders,
    "social": posts,
}

COPY = """
COPY {context}.events (position, stream, version, topic, data, time, actor, command_id,
 correlation_id) FROM STDIN
"""


def fill(bench: Bench, url: str, context: str, facts: int) -> None:
    """Fill an empty log of a context with the beginning of its history."""
    versions: dict[UUID, int] = {}
    made = HISTORIES[context]()
    time = BEGAN
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(1, facts + 1, CHUNK):
            last = min(first + CHUNK - 1, facts)
            with connection.cursor() as cursor, cursor.copy(COPY.format(context=context)) as copy:
                for position, (stream, fact) in enumerate(islice(made, last - first + 1), first):
                    version = versions[stream] = versions.get(stream, 0) + 1
                    time = BEGAN + timedelta(milliseconds=position)
                    data = msgspec.json.encode(fact).decode()
                    command = uuid(9, position)
                    place = (position, stream, version, fact.TOPIC, data)
                    copy.write_row((*place, time, TELLER.actor, command, command))
            bench.say(f"filled {last:,} of {facts:,} in {context}")
        head = f"UPDATE {context}.head SET position = %s, time = %s"
        connection.execute(head.encode(), [facts, time])
        connection.execute(f"VACUUM ANALYZE {context}.events".encode())
        connection.execute("CHECKPOINT")
