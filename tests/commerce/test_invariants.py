import pytest

from domain import MAX_BREACHES
from domain.commerce.authorisation import PaymentAuthorised, PaymentVoided
from domain.commerce.invariants import watch
from domain.commerce.line import OrderLineCancelled, OrderParcelShipped
from domain.commerce.payment import PaymentCaptured
from domain.commerce.refund import PaymentRefunded
from domain.commerce.shipment import Units
from domain.commerce.stock import (
    ReservationCommitted,
    StockAdjusted,
    StockReserved,
    StockReturned,
    StockShipped,
)
from tests.commerce.shop import LATER, ORDER, TEA, named, placed, received

STREAM = named("stream")
reserved = StockReserved(product_id=TEA, order_id=ORDER, quantity=5, expires_at=LATER)
committed = ReservationCommitted(product_id=TEA, order_id=ORDER, quantity=5)
authorised = PaymentAuthorised(order_id=ORDER, amount=100)


def captured(amount):
    return PaymentCaptured(order_id=ORDER, amount=amount)


def refunded(amount):
    return PaymentRefunded(order_id=ORDER, refund_id=named(str(amount)), amount=amount)


def breaches(facts):
    watchers = watch()
    for watcher in watchers:
        for fact in facts:
            watcher.see(STREAM, fact)
    return [breach for watcher in watchers for breach in watcher.breaches()]


def test_what_follows_the_rules_breaches_nothing():
    assert breaches([received(TEA, 5), reserved, committed]) == []
    assert breaches([authorised, captured(90), refunded(40), refunded(50)]) == []
    assert breaches([placed(tea=2), OrderParcelShipped(shipment_id=ORDER, units=())]) == []


@pytest.mark.parametrize(
    ("facts", "breach"),
    [
        ([received(TEA, 4), reserved], "4 on hand, 5 reserved"),
        (
            [StockAdjusted(product_id=TEA, adjustment_id=ORDER, change=-1, reason="")],
            "-1 on hand",
        ),
        ([received(TEA, 5), committed], "-5 held, 5 committed"),
        (
            [
                received(TEA, 5),
                reserved,
                committed,
                StockShipped(product_id=TEA, order_id=ORDER, quantity=3),
                StockReturned(product_id=TEA, order_id=ORDER, quantity=3),
            ],
            "-1 committed",
        ),
        ([authorised, captured(101)], "captured 101 of 100 authorised"),
        ([authorised, captured(50), captured(50)], "captured twice"),
        ([authorised, captured(50), PaymentVoided(order_id=ORDER)], "captured and void"),
        ([authorised, captured(50), refunded(30), refunded(21)], "refunded 51 of 50"),
        (
            [
                placed(tea=2),
                OrderLineCancelled(
                    cancellation_id=ORDER, product_id=TEA, quantity=1, amount=500, reason=""
                ),
                OrderParcelShipped(shipment_id=ORDER, units=(Units(TEA, 2),)),
            ],
            "1 more than were ordered",
        ),
    ],
)
def test_each_breach_is_named(facts, breach):
    found = breaches(facts)
    assert any(breach in sentence for sentence in found), found


def test_the_breaches_that_are_named_are_bounded():
    many = [received(TEA, 1), *[reserved] * 2 * MAX_BREACHES]
    assert len(breaches(many)) == MAX_BREACHES
