"""An acquirer that fails or hangs: the payment asks again, ever later, and ends undone."""

import asyncio
from datetime import timedelta

import pytest

from domain.commerce.order import Order, Status
from infra import patience
from sagas.commerce.payment import MAX_ATTEMPTS
from tests.commerce.shop import ORDER
from tests.commerce.steps import ordered, undone
from tests.overseeing import listed
from tests.parking import parked

MINUTE = timedelta(minutes=1)


async def fail(*_):
    raise ConnectionError("canary")


async def hang(*_):
    await asyncio.Event().wait()


@pytest.mark.parametrize("fault", [fail, hang])
def test_an_acquirer_that_cannot_be_reached_is_asked_again_and_given_up(
    commerce, monkeypatch, fault
) -> None:
    monkeypatch.setattr(patience, "ANSWER_S", 0.01)
    commerce.acquirer.authorise = fault
    ordered(commerce)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert commerce.state(Order, ORDER).status is Status.PENDING
        commerce.after(attempt * MINUTE)
    assert commerce.state(Order, ORDER).status is Status.CANCELLED
    assert undone(commerce)
    assert (parked(commerce), listed(commerce)) == ([], [])


def test_one_that_can_be_reached_again_in_time_is_as_if_nothing_had_been(commerce) -> None:
    authorise = commerce.acquirer.authorise
    commerce.acquirer.authorise = fail
    ordered(commerce)
    commerce.acquirer.authorise = authorise
    commerce.after(MINUTE)
    assert commerce.state(Order, ORDER).status is Status.PAID
