import pytest

from domain import Invalid
from domain.commerce.basket import Item
from domain.commerce.line import (
    MAX_PARCELS,
    LineNotOpen,
    NotShippable,
    OrderLineCancelled,
    OrderLineCommitted,
    OrderLineReserved,
    OrderParcelCalledOff,
    OrderParcelDelivered,
    OrderParcelPlanned,
    OrderParcelShipped,
    Parcel,
)
from domain.commerce.order import (
    MAX_CANCELLATIONS,
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderPaid,
    OrderReserved,
    OrderShipped,
    TooManyCancellations,
)
from domain.commerce.product import Product
from domain.commerce.shipment import Units
from tests.commerce.matrix import check
from tests.commerce.shop import (
    ADDRESS,
    CARD,
    CUSTOMER,
    LATER,
    POT,
    TEA,
    listed,
    named,
    placed,
)

FIRST, REST = named("first parcel"), named("rest")
TEAS, POTS = (Units(TEA, 2),), (Units(POT, 1),)


def reserved(product):
    return OrderLineReserved(product_id=product)


def committed(product):
    return OrderLineCommitted(product_id=product)


def planned(id, units):
    return OrderParcelPlanned(shipment_id=id, units=units)


def shipped(id, units):
    return OrderParcelShipped(shipment_id=id, units=units)


PENDING = [placed(tea=2, pot=1)]
HELD = [*PENDING, reserved(TEA), reserved(POT), OrderReserved()]
CONFIRMED = [*HELD, committed(TEA), committed(POT), OrderConfirmed()]
PAID = [*CONFIRMED, OrderPaid(amount=3000)]
PACKED = [*PAID, planned(FIRST, TEAS)]
PART = [*PACKED, shipped(FIRST, TEAS)]
SHIPPED = [*PART, planned(REST, POTS), shipped(REST, POTS), OrderShipped()]
DELIVERED = [
    *SHIPPED,
    OrderParcelDelivered(shipment_id=FIRST),
    OrderParcelDelivered(shipment_id=REST),
    OrderDelivered(),
]
ALL = (Units(TEA, 2), Units(POT, 1))
CANCELLED = [*PENDING, OrderCancelled(reason="no", units=ALL)]
HISTORIES = {
    "new": [],
    "pending": PENDING,
    "held": HELD,
    "confirmed": CONFIRMED,
    "paid": PAID,
    "packed": PACKED,
    "part": PART,
    "shipped": SHIPPED,
    "delivered": DELIVERED,
    "cancelled": CANCELLED,
}
ITEM = Item(TEA, Product().fold([listed(TEA)]), 2)


def test_every_state_of_an_order_answers_what_people_ask():
    check(
        """
                | new         | pending            | held               | confirmed          | paid               | packed                                  | part                            | shipped               | delivered             | cancelled
        place   | OrderPlaced | -                  | -                  | -                  | -                  | -                                       | -                               | -                     | -                     | -
        cancel  | not_found   | OrderCancelled     | OrderCancelled     | OrderCancelled     | OrderCancelled     | OrderParcelCalledOff OrderCancelled     | order_already_shipped           | order_already_shipped | order_already_shipped | -
        a tea   | not_found   | OrderLineCancelled | OrderLineCancelled | OrderLineCancelled | OrderLineCancelled | OrderParcelCalledOff OrderLineCancelled | line_not_open                   | order_already_shipped | order_already_shipped | -
        the pot | not_found   | OrderLineCancelled | OrderLineCancelled | OrderLineCancelled | OrderLineCancelled | OrderLineCancelled                      | OrderLineCancelled OrderShipped | order_already_shipped | order_already_shipped | -
        3 teas  | not_found   | line_not_open      | line_not_open      | line_not_open      | line_not_open      | line_not_open                           | line_not_open                   | order_already_shipped | order_already_shipped | -
        pack    | not_found   | order_not_shippable | order_not_shippable | order_not_shippable | OrderParcelPlanned | OrderParcelPlanned                     | OrderParcelPlanned              | order_not_shippable   | order_not_shippable   | order_not_shippable
        send    | shipment_called_off | shipment_called_off | shipment_called_off | shipment_called_off | shipment_called_off | OrderParcelShipped            | -                               | -                     | -                     | shipment_called_off
        """,  # noqa: E501
        Order(),
        HISTORIES,
        {
            "place": lambda o: o.place(CUSTOMER, [ITEM], ADDRESS, CARD, LATER),
            "cancel": lambda o: o.cancel("no"),
            "a tea": lambda o: o.cancel_line(named("cut"), TEA, 1, "less"),
            "the pot": lambda o: o.cancel_line(named("cut"), POT, 1, "less"),
            "3 teas": lambda o: o.cancel_line(named("cut"), TEA, 3, "less"),
            "pack": lambda o: o.plan_parcel(named("another"), POTS),
            "send": lambda o: o.ship_parcel(FIRST),
        },
    )


def test_every_state_of_an_order_answers_every_step_of_its_process():
    check(
        """
                     | new | pending           | held               | confirmed      | paid | packed | part | shipped              | delivered | cancelled
        reserved     | -   | OrderLineReserved | -                  | -              | -    | -      | -    | -                    | -         | -
        committed    | -   | OrderLineCommitted | OrderLineCommitted | -             | -    | -      | -    | -                    | -         | -
        refused      | -   | OrderCancelled    | OrderCancelled     | OrderCancelled | -    | -      | -    | -                    | -         | -
        paid         | -   | -                 | -                  | OrderPaid      | -    | -      | -    | -                    | -         | -
        failed       | -   | OrderCancelled    | OrderCancelled     | OrderCancelled | -    | -      | -    | -                    | -         | -
        delivered    | -   | -                 | -                  | -              | -    | -      | OrderParcelDelivered | OrderParcelDelivered | - | -
        """,  # noqa: E501
        Order(),
        HISTORIES,
        {
            "reserved": lambda o: o.note_reserved(TEA),
            "committed": lambda o: o.note_committed(TEA),
            "refused": lambda o: o.note_refused(TEA, "out_of_stock"),
            "paid": lambda o: o.pay(3000),
            "failed": lambda o: o.fail("timed_out"),
            "delivered": lambda o: o.note_delivered(FIRST),
        },
    )


def test_the_last_line_held_makes_the_order_reserved():
    order = Order().fold([*PENDING, reserved(TEA)])
    assert order.note_reserved(POT) == [reserved(POT), OrderReserved()]


def test_the_last_line_committed_confirms_the_order():
    order = Order().fold([*HELD, committed(TEA)])
    assert order.note_committed(POT) == [committed(POT), OrderConfirmed()]


def test_cancelling_the_only_line_that_was_waited_for_goes_on_without_it():
    cut = OrderLineCancelled(
        cancellation_id=named("cut"), product_id=POT, quantity=1, amount=2000, reason="less"
    )
    waiting_for_pot = Order().fold([*PENDING, reserved(TEA)])
    assert waiting_for_pot.cancel_line(named("cut"), POT, 1, "less") == [cut, OrderReserved()]
    almost = Order().fold([*HELD, committed(TEA)])
    assert almost.cancel_line(named("cut"), POT, 1, "less") == [cut, OrderConfirmed()]


def test_a_refused_line_that_nobody_wants_any_more_does_not_end_the_order():
    order = Order().fold(PENDING)
    order = order.fold(order.cancel_line(named("cut"), POT, 1, "less"))
    assert order.note_refused(POT, "out_of_stock") == []


def test_cancelling_every_line_cancels_the_order():
    order = Order().fold(PAID)
    order = order.fold(order.cancel_line(named("cut"), POT, 1, "less"))
    assert order.cancel_line(named("cut 2"), TEA, 2, "all of it") == [
        OrderCancelled(reason="all of it", units=(Units(TEA, 2),))
    ]


def test_what_left_is_delivered_when_the_rest_is_cancelled_afterwards():
    order = Order().fold([*PART, OrderParcelDelivered(shipment_id=FIRST)])
    facts = order.cancel_line(named("cut"), POT, 1, "less")
    assert facts[1:] == [OrderShipped(), OrderDelivered()]


def test_only_the_shipments_in_the_way_of_a_cancellation_are_called_off():
    order = Order().fold([*PAID, planned(FIRST, (Units(TEA, 1),)), planned(REST, POTS)])
    assert [type(fact) for fact in order.cancel_line(named("a"), TEA, 1, "")] == [
        OrderLineCancelled
    ]
    assert order.cancel_line(named("b"), TEA, 2, "")[0] == OrderParcelCalledOff(shipment_id=FIRST)


def test_no_unit_is_planned_twice():
    order = Order().fold(PACKED)
    with pytest.raises(LineNotOpen, match="0 units"):
        order.plan_parcel(REST, (Units(TEA, 1),))
    with pytest.raises(NotShippable):
        order.plan_parcel(REST, ())
    with pytest.raises(Invalid):
        order.plan_parcel(REST, (Units(POT, 1), Units(POT, 1)))


def test_what_an_order_remembers_is_bounded():
    many = tuple(named(str(n)) for n in range(MAX_CANCELLATIONS))
    with pytest.raises(TooManyCancellations):
        Order().fold(PENDING).replace(cancellations=many).cancel_line(named("cut"), TEA, 1, "")
    order = Order().fold(PAID)
    full = {named(str(n)): Parcel((), "called_off") for n in range(MAX_PARCELS)}
    for id in full:
        order = order.fold([planned(id, ()), OrderParcelCalledOff(shipment_id=id)])
    with pytest.raises(NotShippable, match=str(MAX_PARCELS)):
        order.plan_parcel(REST, POTS)
