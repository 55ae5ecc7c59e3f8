"""Lines that follow each other keep their order beside another process that writes meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from commands.commerce.shipment import CreateShipment, DeliverShipment, DispatchShipment
from domain.commerce.line import NotShippable
from infra.commandfile import Line
from infra.feed import Feed
from infra.settings import Settings
from infra.wiring import open_system
from tests.commerce.shop import ORDER, named, place, stocked
from tests.scenario import TELLER, Scenario

BOX = named("box")


def lines(*commands: Any) -> list[Line]:
    return [
        Line(
            number=number,
            name=f"commerce.{type(command).__name__}",
            command=command,
            by=TELLER,
            key=f"line {number}",
            ids=frozenset({BOX}),
            end=0,
        )
        for number, command in enumerate(commands, 1)
    ]


async def pages(all_lines: list[Line]) -> AsyncIterator[list[Line]]:
    yield all_lines


def test_a_line_is_not_refused_upon_a_refusal_on_old_memory(
    commerce: Scenario, settings: Settings
) -> None:
    commerce.given(stocked(tea=5))
    commerce.send(place(tea=2))
    elsewhere = commerce.run(open_system(settings))
    with pytest.raises(NotShippable):  # it remembers an order that is not paid
        commerce.send(CreateShipment(order_id=ORDER, shipment_id=BOX), to=elsewhere)
    commerce.settle()
    feed = Feed(elsewhere)
    following = lines(
        CreateShipment(order_id=ORDER, shipment_id=BOX),
        DispatchShipment(shipment_id=BOX, carrier="post", tracking="1"),
        DeliverShipment(shipment_id=BOX),
    )
    commerce.run(asyncio.wait_for(feed.run(pages(following)), 20))
    commerce.run(elsewhere.close())
    assert (feed.tally.accepted, feed.tally.refused) == (3, 0), feed.tally.refusals
