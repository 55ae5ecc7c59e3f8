"""The past of every read model that keeps it, in a world where bank, shop and network live on."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Caller
from commands.banking.account import DepositMoney, WithdrawMoney
from commands.commerce.order import CancelLine, CancelOrder
from commands.commerce.stock import AdjustStock, ReceiveStock
from commands.social.follow import FollowMember, UnfollowMember
from commands.social.post import CreatePost
from domain import Refused
from infra.asof import at_position
from infra.discovery import Projecting
from infra.log.port import Unavailable
from infra.log.tail import Facts
from infra.moves import Write
from infra.readers import Output
from infra.rebuilding.rebuild import rebuild
from projections.banking.account import account, accounts_of
from projections.banking.statement import balance, statement, totals
from projections.commerce.order import order, orders_of
from projections.commerce.stock import stock_levels, stock_of
from projections.social.follow import followers, following
from projections.social.profile import profile
from projections.versions import has_history, is_versions
from tests.banking.bank import ALICE, BOB, HOLDERS, alice, opened, pay
from tests.commerce.shop import CUSTOMER, ORDER, OTHER_ORDER, POT, TEA, place, stocked
from tests.probe.memory import Memory, in_order
from tests.scenario import TELLER, Scenario
from tests.social import members
from tests.stores import Stores
from tests.test_readers import take_at_once

KEEPING = {
    *("banking.account", "banking.statement", "commerce.order", "commerce.payment"),
    *("commerce.refund", "commerce.shipment", "commerce.stock", "social.follow", "social.profile"),
}
EUR = "EUR"
MAX_TRIES = 1_000


@st.composite
def acts(draw: Any) -> tuple[object, Caller]:
    """A command that may be refused, and who sends it."""
    id = UUID(int=draw(st.integers(1, 4)), version=4)
    amount = draw(st.sampled_from([1, 30, 200]))
    id_of_order = draw(st.sampled_from([ORDER, OTHER_ORDER]))
    token = draw(st.sampled_from(["tok_approve", "tok_decline"]))
    member = draw(st.sampled_from([members.ALICE, members.BOB, members.CAROL]))
    by = draw(st.sampled_from([members.alice, members.bob]))
    made: list[tuple[object, Caller]] = [
        (DepositMoney(account_id=ALICE, deposit_id=id, amount=amount, currency=EUR), TELLER),
        (WithdrawMoney(account_id=ALICE, withdrawal_id=id, amount=amount, currency=EUR), alice),
        (pay(amount, transfer_id=UUID(int=id.int + 99)), alice),
        (place(token, id_of_order, tea=draw(st.integers(1, 3)), pot=1), TELLER),
        (CancelOrder(order_id=id_of_order), TELLER),
        (CancelLine(order_id=id_of_order, product_id=TEA, quantity=1), TELLER),
        (ReceiveStock(product_id=POT, quantity=2), TELLER),
        (AdjustStock(product_id=TEA, change=-1, reason="broken"), TELLER),
        (FollowMember(member_id=member), by),
        (UnfollowMember(member_id=member), by),
        (CreatePost(text="Hello", publish=True), by),
    ]
    chosen: tuple[object, Caller] = draw(st.sampled_from(made))
    return chosen


@dataclass
class Unsteady:
    """A reader's output whose store goes away now and then, before or behind what it writes."""

    output: Output
    dice: random.Random

    async def __call__(self, facts: Facts) -> Write:
        write = await self.output(facts)

        async def writing(connection: AsyncConnection) -> None:
            if self.dice.random() < 0.2:
                raise Unavailable("gone before")
            await write(connection)
            if self.dice.random() < 0.2:
                raise Unavailable("gone behind")

        return writing


def live(world: Scenario, acts: list[tuple[object, Caller]], seed: int) -> None:
    """Let a bank, a shop and a network live, followed by readers that are broken off."""
    dice = random.Random(seed)
    world.given({ALICE: [opened()], BOB: [opened(BOB)]}).given(stocked(tea=5, pot=1))
    world.given(members.JOINED)
    projections = [reader for reader in world.system.readers if not reader.is_process]
    for reader in projections:
        reader._output = Unsteady(reader._output, dice)
    for command, by in acts:
        try:
            world.send(command, by)
        except Refused:
            continue
        finally:
            for reader in projections:
                take_at_once(reader, dice.randint(1, 9))
        settle(world)
    settle(world)


def settle(world: Scenario) -> None:
    for _ in range(MAX_TRIES):
        try:
            world.settle()
        except Unavailable:
            continue
        return
    raise AssertionError("the readers did not come to rest")


def keeping(world: Scenario) -> Iterator[tuple[Projecting, list[Table]]]:
    for projecting in world.system.features.projections:
        tables = [t for t in projecting.tables if has_history(t) and not is_versions(t)]
        if tables:
            yield projecting, tables


def read(world: Scenario, context: str, query: Any) -> list[dict[str, Any]]:
    async def body() -> list[dict[str, Any]]:
        async with world.system.databases[context].read() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    return world.run(body())


@hypothesis_settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(acts=st.lists(acts(), min_size=1, max_size=10), seed=st.integers(0, 1_000))
def test_the_past_is_what_a_replay_up_to_there_gives(
    all_stores: Stores, store: str, acts: list[tuple[object, Caller]], seed: int
) -> None:
    with closing(Scenario(all_stores.settings(store), None)) as world:
        live(world, acts, seed)
        assert {projecting.name for projecting, _ in keeping(world)} == KEEPING
        for projecting, tables in keeping(world):
            context, memory = projecting.context, Memory()
            facts = [one for one in world.facts() if one[1].context == context]
            for fact, at in facts:
                projecting.project(fact, at, memory)
                for table in tables:
                    then = read(world, context, at_position(select(table), at.position))
                    wanted = in_order(table, memory.of(table).values())
                    assert in_order(table, then) == wanted, (table.name, at.position)
            log, database = world.system.logs[context], world.system.databases[context]
            again = rebuild(projecting, log.store, world.system.codec, database, swap=False)
            assert world.run(again).equal


def test_every_query_as_of_the_end_answers_as_it_does_now(world: Scenario) -> None:
    bought = [(place("tok_approve", ORDER, tea=2, pot=1), TELLER)]
    cancelled = [(CancelLine(order_id=ORDER, product_id=TEA, quantity=1), TELLER)]
    paid = [
        (
            DepositMoney(account_id=ALICE, deposit_id=TEA, amount=100, currency=EUR, source="cash"),
            TELLER,
        ),
        (pay(40), alice),
    ]
    met = [(FollowMember(member_id=members.BOB), members.alice)]
    live(world, [*bought, *cancelled, *paid, *met], seed=1)
    queries, heads = world.system.queries, world._heads()
    as_of = {context: str(head) for context, head in heads.items()}
    for query in (account(ALICE), totals(ALICE), balance(ALICE), stock_of(TEA)):
        context = "commerce" if query.compare(stock_of(TEA)) else "banking"
        assert world.run(queries.one(query, as_of=as_of[context])) == world.run(queries.one(query))
    now = world.run(queries.detail(order(ORDER)))
    assert len(now["lines"]) == 2
    assert len(now["payments"]) == 1
    assert world.run(queries.detail(order(ORDER), as_of=as_of["commerce"])) == now
    assert world.run(queries.one(profile(members.BOB), as_of=as_of["social"]))["followers"] == 1
    assert world.run(queries.one(profile(members.BOB), as_of="3"))["followers"] == 0
    for context, listing in (
        ("banking", statement(ALICE)),
        ("banking", accounts_of(HOLDERS[ALICE])),
        ("commerce", orders_of(CUSTOMER)),
        ("commerce", stock_levels()),
        ("social", followers(members.BOB)),
        ("social", following(members.ALICE)),
    ):
        rows, _ = world.run(queries.page(listing, 100))
        assert rows
        assert world.run(queries.page(listing, 100, as_of=as_of[context]))[0] == rows
