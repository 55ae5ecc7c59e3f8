from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from commands.commerce.product import DiscontinueProduct
from commands.commerce.stock import AdjustStock, ReceiveStock, ReserveStock
from domain import Invalid, NotFound, ProcessOnly
from domain.commerce.invariants import watch
from domain.commerce.stock import (
    MAX_ON_HAND,
    MAX_OPEN_ORDERS,
    CommitRefused,
    Holding,
    ReservationCommitted,
    ReservationExpired,
    ReservationRefused,
    Stock,
    StockAdjusted,
    StockReceived,
    StockReserved,
    StockReturned,
    StockShipped,
    StockTooHigh,
    StockTooLow,
    stock_id,
)
from projections.commerce.stock import stock_levels, stock_of
from tests.commerce.matrix import check
from tests.commerce.shop import LATER, NOW, ORDER, OTHER_ORDER, TEA, named, received, stocked

AFTERWARDS = LATER + timedelta(seconds=1)
reserved = StockReserved(product_id=TEA, order_id=ORDER, quantity=3, expires_at=LATER)
committed = ReservationCommitted(product_id=TEA, order_id=ORDER, quantity=3)
expired = ReservationExpired(product_id=TEA, order_id=ORDER, quantity=3)
shipped = StockShipped(product_id=TEA, order_id=ORDER, quantity=3)
returned = StockReturned(product_id=TEA, order_id=ORDER, quantity=3)
in_stock = received(TEA, 5)


def test_every_state_of_stock_answers_every_command():
    check(
        """
                   | none               | free          | held                      | committed     | shipped
        receive    | StockReceived      | StockReceived | StockReceived             | StockReceived | StockReceived
        lose 3     | stock_too_low      | StockAdjusted | stock_too_low             | stock_too_low | stock_too_low
        find 1     | StockAdjusted      | StockAdjusted | StockAdjusted             | StockAdjusted | StockAdjusted
        reserve 3  | ReservationRefused | StockReserved | -                         | -             | ReservationRefused
        commit     | CommitRefused      | CommitRefused | ReservationCommitted      | -             | CommitRefused
        keep 3     | -                  | -             | -                         | -             | -
        keep 1     | -                  | -             | StockReleased             | StockReturned | -
        ship to 1  | -                  | -             | -                         | StockShipped  | -
        """,  # noqa: E501
        Stock(),
        {
            "none": [],
            "free": [in_stock],
            "held": [in_stock, reserved],
            "committed": [in_stock, reserved, committed],
            "shipped": [in_stock, reserved, committed, shipped],
        },
        {
            "receive": lambda s: s.receive(TEA, named("more"), 1),
            "lose 3": lambda s: s.adjust(TEA, named("count"), -3, "broken", NOW),
            "find 1": lambda s: s.adjust(TEA, named("count"), 1, "found", NOW),
            "reserve 3": lambda s: s.reserve(TEA, ORDER, 3, LATER, NOW),
            "commit": lambda s: s.commit(TEA, ORDER, NOW),
            "keep 3": lambda s: s.release(TEA, ORDER, 3),
            "keep 1": lambda s: s.release(TEA, ORDER, 1),
            "ship to 1": lambda s: s.ship(TEA, ORDER, 1),
        },
        repeatable=frozenset({"reserve 3", "commit"}),
    )


def test_an_expired_reservation_never_blocks_another_order():
    stock = Stock().fold([in_stock, reserved])
    assert stock.reserve(TEA, OTHER_ORDER, 4, LATER + timedelta(hours=1), AFTERWARDS) == [
        expired,
        StockReserved(
            product_id=TEA,
            order_id=OTHER_ORDER,
            quantity=4,
            expires_at=LATER + timedelta(hours=1),
        ),
    ]


def test_an_expired_reservation_does_not_block_an_adjustment():
    stock = Stock().fold([in_stock, reserved])
    assert stock.adjust(TEA, named("count"), -5, "flood", AFTERWARDS) == [
        expired,
        StockAdjusted(product_id=TEA, adjustment_id=named("count"), change=-5, reason="flood"),
    ]


def test_an_expired_reservation_cannot_be_committed_even_once():
    stock = Stock().fold([in_stock, reserved])
    refused = CommitRefused(product_id=TEA, order_id=ORDER, reason="expired")
    assert stock.commit(TEA, ORDER, AFTERWARDS) == [expired, refused]
    later = stock.fold([expired, refused])
    assert later.commit(TEA, ORDER, AFTERWARDS) == [
        CommitRefused(product_id=TEA, order_id=ORDER, reason="not_reserved")
    ]
    assert later.available == 5


def test_a_reservation_is_valid_up_to_its_last_moment():
    stock = Stock().fold([in_stock, reserved])
    assert stock.commit(TEA, ORDER, LATER - timedelta(microseconds=1)) == [committed]
    assert stock.commit(TEA, ORDER, LATER)[0] == expired


def test_a_reservation_that_would_be_over_at_once_is_refused():
    refused = ReservationRefused(product_id=TEA, order_id=ORDER, quantity=1, reason="too_late")
    assert Stock().fold([in_stock]).reserve(TEA, ORDER, 1, NOW, NOW) == [refused]


def test_the_orders_that_stock_remembers_are_bounded():
    full = Stock(
        on_hand=MAX_OPEN_ORDERS + 1,
        holdings={named(str(n)): Holding(1, None) for n in range(MAX_OPEN_ORDERS)},
    )
    assert full.reserve(TEA, ORDER, 1, LATER, NOW) == [
        ReservationRefused(
            product_id=TEA, order_id=ORDER, quantity=1, reason="too_many_open_orders"
        )
    ]


def test_stock_has_an_upper_bound():
    with pytest.raises(StockTooHigh):
        Stock(on_hand=MAX_ON_HAND).receive(TEA, named("more"), 1)


def test_an_adjustment_by_nothing_makes_no_sense():
    with pytest.raises(Invalid):
        Stock().adjust(TEA, named("count"), 0, "counted", NOW)


@settings(max_examples=50)
@given(
    on_hand=st.integers(0, 30),
    wanted=st.lists(st.integers(1, 3), min_size=1, max_size=20),
)
def test_units_are_reserved_while_they_last_and_not_one_more(on_hand, wanted):
    stock, left = Stock().fold([received(TEA, on_hand)] if on_hand else []), on_hand
    for number, quantity in enumerate(wanted):
        facts = stock.reserve(TEA, named(f"order {number}"), quantity, LATER, NOW)
        assert [type(fact) for fact in facts] == [
            StockReserved if quantity <= left else ReservationRefused
        ]
        left -= quantity if quantity <= left else 0
        stock = stock.fold(facts)
    assert stock.available == left >= 0


ORDERS = st.sampled_from([named(f"order {n}") for n in range(4)])
FEW = st.integers(1, 4)


class Warehouse(RuleBasedStateMachine):
    """Any commands in any order and at any time, against a count kept by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stock = Stock()
        self.now = NOW
        self.moves = 0
        self.in_house = 0
        self.watchers = watch()

    def take(self, facts):
        for fact in facts:
            for watcher in self.watchers:
                watcher.see(stock_id(TEA), fact)
        self.stock = self.stock.fold(facts)

    @rule(quantity=FEW)
    def receive(self, quantity):
        self.moves += 1
        self.take(self.stock.receive(TEA, named(f"move {self.moves}"), quantity))
        self.in_house += quantity

    @rule(change=st.integers(-4, 4).filter(bool))
    def adjust(self, change):
        self.moves += 1
        try:
            facts = self.stock.adjust(TEA, named(f"move {self.moves}"), change, "count", self.now)
        except StockTooLow:
            return
        self.take(facts)
        self.in_house += change

    @rule(order=ORDERS, quantity=FEW, minutes=st.integers(-1, 10))
    def reserve(self, order, quantity, minutes):
        until = self.now + timedelta(minutes=minutes)
        self.take(self.stock.reserve(TEA, order, quantity, until, self.now))

    @rule(order=ORDERS)
    def commit(self, order):
        self.take(self.stock.commit(TEA, order, self.now))

    @rule(order=ORDERS, keep=st.integers(0, 3))
    def release(self, order, keep):
        self.take(self.stock.release(TEA, order, keep))

    @rule(order=ORDERS, keep=st.integers(0, 3))
    def ship(self, order, keep):
        facts = self.stock.ship(TEA, order, keep)
        self.take(facts)
        self.in_house -= sum(fact.quantity for fact in facts if isinstance(fact, StockShipped))

    @rule(minutes=st.integers(1, 10))
    def wait(self, minutes):
        self.now += timedelta(minutes=minutes)

    @invariant()
    def nothing_is_lost_or_oversold(self):
        holdings = self.stock.holdings.values()
        kept = sum(h.quantity for h in holdings if h.expires_at is None)
        assert self.stock.on_hand + kept == self.in_house
        assert self.stock.reserved == sum(h.quantity for h in holdings if h.expires_at)
        assert 0 <= self.stock.available <= self.stock.on_hand
        assert all(h.quantity > 0 for h in holdings)
        assert [b for watcher in self.watchers for b in watcher.breaches()] == []


TestWarehouse = Warehouse.TestCase
TestWarehouse.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_stock_is_received_and_counted(commerce):
    receipt = ReceiveStock(product_id=TEA, quantity=5, receipt_id=named("receipt"))
    commerce.given(stocked(tea=0)).when(receipt, receipt).then(
        StockReceived(product_id=TEA, receipt_id=named("receipt"), quantity=5)
    )
    count = AdjustStock(product_id=TEA, change=-2, reason="broken", adjustment_id=named("count"))
    commerce.when(count, count).then(
        StockAdjusted(product_id=TEA, adjustment_id=named("count"), change=-2, reason="broken")
    )
    (row,) = commerce.rows(stock_of(TEA))
    assert (row["on_hand"], row["reserved"], row["available"], row["version"]) == (3, 0, 3, 2)
    commerce.when(AdjustStock(product_id=TEA, change=-4, reason="theft")).refused(StockTooLow)


def test_stock_needs_a_product_but_not_one_on_sale(commerce):
    commerce.when(ReceiveStock(product_id=TEA, quantity=1)).refused(NotFound)
    commerce.when(AdjustStock(product_id=TEA, change=1, reason="found")).refused(NotFound)
    commerce.given(stocked(tea=1)).when(
        DiscontinueProduct(product_id=TEA),
        ReceiveStock(product_id=TEA, quantity=1, receipt_id=named("back")),
    )
    (row,) = commerce.rows(stock_of(TEA))
    assert (row["on_hand"], row["status"]) == (2, "discontinued")


def test_stock_levels_show_what_runs_low_first_by_choice(commerce):
    commerce.given(stocked(tea=5, pot=1, cup=0))
    levels = commerce.rows(stock_levels())
    assert [(row["name"], row["available"]) for row in levels] == [
        ("cup", 0),
        ("pot", 1),
        ("tea", 5),
    ]
    assert [row["name"] for row in commerce.rows(stock_levels(at_most=1))] == ["cup", "pot"]


def test_only_a_process_reserves(commerce):
    commerce.given(stocked(tea=5)).when(
        ReserveStock(product_id=TEA, order_id=ORDER, quantity=1, expires_at=LATER)
    ).refused(ProcessOnly)
