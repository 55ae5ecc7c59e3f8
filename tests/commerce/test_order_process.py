"""The order process by card: the way to a paid order, and every way back."""

from datetime import timedelta

from commands.commerce.order import CancelOrder
from commands.commerce.payment import VoidCard
from domain.commerce.authorisation import (
    AuthorisationPending,
    AuthorisedTooLate,
    PaymentDeclined,
    VoidPending,
)
from domain.commerce.order import Order, Status
from domain.commerce.payment import (
    CaptureFailed,
    CapturePending,
    PaymentFailed,
)
from domain.commerce.stock import (
    CommitRefused,
    ReservationExpired,
    ReservationRefused,
    Stock,
    stock_id,
)
from projections.commerce.order import order as order_detail
from projections.commerce.stock import stock_of
from sagas.commerce.payment import MAX_ATTEMPTS, MAX_VOIDS
from tests.commerce.shop import ORDER, OTHER_ORDER, PAYMENT, TEA, named, place, stocked
from tests.commerce.steps import (
    BY_ACQUIRER,
    CAPTURED,
    CONFIRMED,
    RELEASED,
    RETURNED,
    VOIDED,
    answered_late,
    cancelled,
    card,
    ordered,
    reserved,
    undone,
    void_requested,
)

MINUTE = timedelta(minutes=1)


def pending(attempt):
    return AuthorisationPending(order_id=ORDER, attempt=attempt)


def test_an_order_is_reserved_authorised_confirmed_captured_and_paid(commerce):
    ordered(commerce)
    commerce.then(*reserved(commerce, card("tok_approve")), *CONFIRMED, *CAPTURED)
    shown = commerce.rows(order_detail(ORDER))
    assert shown["status"] == "paid"
    assert [line["stock"] for line in shown["lines"]] == ["committed", "committed"]
    assert [p["captured"]["amount"] for p in shown["payments"]] == [3000]
    (tea,) = commerce.rows(stock_of(TEA))
    assert (tea["on_hand"], tea["reserved"], tea["available"], tea["committed"]) == (3, 0, 3, 2)
    commerce.after(timedelta(days=30)).then()


def test_one_line_out_of_stock_undoes_the_order(commerce):
    commerce.given(stocked(tea=5, pot=0)).when(place(tea=2, pot=1))
    names = [type(fact).__name__ for fact in commerce.new_facts()]
    assert names == [
        "OrderPlaced",
        "StockReserved",
        "ReservationRefused",
        "OrderLineReserved",
        "OrderCancelled",
        "StockReleased",
    ]
    assert cancelled("out_of_stock") in commerce.new_facts()
    commerce.after(timedelta(days=30)).then()
    assert commerce.state(Stock, stock_id(TEA)).available == 5


def test_a_declined_card_undoes_the_order(commerce):
    ordered(commerce, "tok_decline").then(
        *reserved(commerce, card("tok_decline")),
        PaymentDeclined(order_id=ORDER, reason="card_declined"),
        cancelled("card_declined"),
        *RELEASED,
    )
    assert undone(commerce)


def test_an_authorisation_is_asked_for_again_and_may_be_answered_then(commerce):
    ordered(commerce, "tok_slow").then(*reserved(commerce, card("tok_slow")), pending(1))
    commerce.after(MINUTE).then(*CONFIRMED, *CAPTURED)
    commerce.after(timedelta(days=30)).then()


def test_an_authorisation_that_is_never_answered_is_given_up_and_voided(commerce):
    ordered(commerce, "tok_timeout").then(*reserved(commerce, card("tok_timeout")), pending(1))
    for attempt in range(2, MAX_ATTEMPTS + 1):
        commerce.after((attempt - 1) * MINUTE).then(pending(attempt))
    commerce.after(MAX_ATTEMPTS * MINUTE)
    assert set(map(repr, commerce.new_facts())) == set(
        map(
            repr,
            [
                PaymentFailed(order_id=ORDER, reason="no_answer"),
                VOIDED,
                cancelled("no_answer"),
                *RELEASED,
            ],
        )
    )
    assert undone(commerce)
    commerce.after(timedelta(days=30)).then()


def test_a_late_approval_in_time_goes_on_as_if_nothing_had_been(commerce):
    ordered(commerce, "tok_late").then(*reserved(commerce, card("tok_late")), pending(1))
    answered_late(commerce).then(*CONFIRMED, *CAPTURED)
    commerce.after(timedelta(days=30)).then()


def test_a_late_refusal_in_time_undoes_the_order(commerce):
    ordered(commerce, "tok_late_decline")
    answered_late(commerce).then(
        PaymentDeclined(order_id=ORDER, reason="card_declined"),
        cancelled("card_declined"),
        *RELEASED,
    )
    commerce.after(timedelta(days=30)).then()


def test_an_approval_after_giving_up_is_voided_at_once(commerce):
    ordered(commerce, "tok_late")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        commerce.after(attempt * MINUTE)
    assert commerce.state(Order, ORDER).status is Status.CANCELLED
    answered_late(commerce).then(AuthorisedTooLate(order_id=ORDER, amount=3000), VOIDED)
    commerce.after(timedelta(days=30)).then()
    assert undone(commerce)


def test_an_approval_that_comes_twice_is_taken_once(commerce):
    ordered(commerce, "tok_twice").then(
        *reserved(commerce, card("tok_twice")), *CONFIRMED, *CAPTURED
    )
    (again,) = commerce.acquirer.late
    commerce.when(again, again, by=BY_ACQUIRER).then()


def test_a_repeated_approval_after_the_void_changes_nothing(commerce):
    ordered(commerce, "tok_twice").when(CancelOrder(order_id=ORDER, reason="no"))
    answered_late(commerce).then()


def test_a_declined_capture_undoes_the_order(commerce):
    ordered(commerce, "tok_capture_decline").then(
        *reserved(commerce, card("tok_capture_decline")),
        *CONFIRMED,
        CaptureFailed(order_id=ORDER, reason="capture_declined"),
        *commerce.new_facts()[-4:],
    )
    assert sorted(map(repr, commerce.new_facts()[-4:])) == sorted(
        map(repr, [VOIDED, cancelled("capture_declined"), *RETURNED])
    )
    assert undone(commerce)


def test_a_capture_is_asked_for_again_and_may_be_answered_then(commerce):
    ordered(commerce, "tok_capture_slow")
    assert commerce.new_facts()[-1] == CapturePending(order_id=ORDER, attempt=1)
    commerce.after(MINUTE).then(*CAPTURED)


def test_a_capture_that_is_never_answered_is_given_up_and_everything_undone(commerce):
    ordered(commerce, "tok_capture_timeout")
    for attempt in range(2, MAX_ATTEMPTS + 1):
        commerce.after((attempt - 1) * MINUTE).then(CapturePending(order_id=ORDER, attempt=attempt))
    commerce.after(MAX_ATTEMPTS * MINUTE)
    assert commerce.new_facts()[0] == CaptureFailed(order_id=ORDER, reason="no_answer")
    assert VOIDED in commerce.new_facts()
    assert undone(commerce)


def test_a_void_is_asked_for_again_until_it_is_confirmed(commerce):
    ordered(commerce, "tok_timeout+tok_void_slow").when(CancelOrder(order_id=ORDER, reason="no"))
    waits = VoidPending(order_id=ORDER, attempt=1, reason="no_answer")
    commerce.then(cancelled("no"), *RELEASED, void_requested("no"), waits)
    commerce.after(MINUTE).then(VOIDED)


def test_a_void_that_is_never_confirmed_is_left_to_a_person(commerce):
    ordered(commerce, "tok_timeout+tok_void_timeout").when(CancelOrder(order_id=ORDER))
    for attempt in range(2, MAX_VOIDS + 1):
        commerce.after(10 * MINUTE).then(
            VoidPending(order_id=ORDER, attempt=attempt, reason="no_answer")
        )
    commerce.after(timedelta(days=30)).then()
    (payment,) = commerce.rows(order_detail(ORDER))["payments"]
    assert (payment["status"], payment["attempts"]) == ("voiding", MAX_VOIDS)
    commerce.when(VoidCard(payment_id=PAYMENT)).then(
        VoidPending(order_id=ORDER, attempt=MAX_VOIDS + 1, reason="no_answer")
    )


def test_a_reservation_that_expired_in_an_outage_undoes_the_order(commerce):
    ordered(commerce, "tok_late")
    late = [*commerce.acquirer.late]
    commerce.clock.moved += timedelta(hours=2)  # nothing ran: the answer is the first to arrive
    commerce.run(commerce.system.dispatch(late[0], BY_ACQUIRER))
    commerce.settle()
    facts = [fact for fact, _ in commerce.facts()]
    assert ReservationExpired(product_id=TEA, order_id=ORDER, quantity=2) in facts
    assert CommitRefused(product_id=TEA, order_id=ORDER, reason="expired") in facts
    assert facts[-1] == VOIDED
    assert undone(commerce)


def test_the_last_units_go_to_whoever_reserved_them(commerce):
    commerce.given(stocked(tea=3)).when(place(tea=2)).when(place(order=OTHER_ORDER, tea=2))
    assert commerce.state(Order, ORDER).status is Status.PAID
    assert commerce.state(Order, OTHER_ORDER).status is Status.CANCELLED
    assert commerce.state(Stock, stock_id(TEA)).available == 1


def test_of_many_buyers_exactly_as_many_succeed_as_there_are_units(commerce):
    buyers = 7
    orders = [named(f"buyer {n}") for n in range(buyers)]
    commerce.given(stocked(tea=4)).when(*[place(order=id, tea=1) for id in orders])
    states = [commerce.state(Order, id).status for id in orders]
    assert (states.count(Status.PAID), states.count(Status.CANCELLED)) == (4, buyers - 4)
    refusals = [f for f in commerce.new_facts() if isinstance(f, ReservationRefused)]
    assert len(refusals) == buyers - 4
    assert commerce.state(Stock, stock_id(TEA)).available == 0
