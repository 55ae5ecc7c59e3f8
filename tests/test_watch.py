"""The invariant watch: what breaks a rule is told once, with what caused it, whatever happens."""

from typing import Any
from uuid import UUID

import pytest
import structlog

from commands.banking.account import DepositMoney, OpenAccount
from domain import Event
from domain.banking import invariants as banking_rules
from domain.banking.posting import AccountCredited
from domain.commerce.authorisation import PaymentAuthorised
from domain.commerce.payment import PaymentCaptured
from domain.commerce.stock import StockReserved
from domain.social.follow import Followed, follow_id
from infra.audit import Entry, trail
from infra.guarding.watch import REPORTED, WatchReader
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.banking.bank import (
    ALICE,
    BOB,
    CASH,
    HOLDERS,
    T,
    alice,
    credited,
    deposited,
    entered,
    opened,
    pay,
    teller,
)
from tests.commerce.shop import LATER, ORDER, TEA, named, received
from tests.scenario import Scenario
from tests.source import CONTEXTS

FUNDED = [(ALICE, opened()), (ALICE, deposited(100)), (CASH, entered(100)), (BOB, opened(BOB))]
PAYMENT = named("payment")
BROKEN_BY: dict[str, list[tuple[UUID, Event]]] = {
    "money is conserved": [*FUNDED, (BOB, credited())],
    "balances follow from postings": [
        *FUNDED,
        (ALICE, deposited(5, 106)),
        (CASH, entered(5, -105)),
    ],
    "stock is never negative or oversold": [
        (TEA, received(TEA, 4)),
        (
            TEA,
            StockReserved(product_id=TEA, order_id=ORDER, quantity=5, expires_at=LATER),
        ),
    ],
    "captured <= authorised, refunded <= captured": [
        (PAYMENT, PaymentAuthorised(order_id=ORDER, amount=100)),
        (PAYMENT, PaymentCaptured(order_id=ORDER, amount=101)),
    ],
    "follower counters equal distinct followers": [
        (follow_id(BOB, ALICE), Followed(follower=BOB, followee=ALICE)),
        (follow_id(BOB, ALICE), Followed(follower=BOB, followee=ALICE)),
    ],
}


def watch_of(system: System, context: str = "banking") -> WatchReader:
    return next(one for one in system.guards.watches if one.context == context)


def put(scenario: Scenario, history: list[tuple[UUID, Event]]) -> None:
    """Write facts into the log by hand, whatever the rules say."""
    for stream, fact in history:
        scenario.run(scenario._append(stream, [fact]))


def watched(scenario: Scenario, context: str = "banking", system: System | None = None) -> None:
    """Let the watch come to the end of the log."""
    reader = watch_of(system or scenario.system, context)
    scenario.run(reader.resume())
    while scenario.run(reader.step()):
        pass


def rule_of(entry: Entry) -> str:
    return str(entry.detail).split('"')[1]


def entries(scenario: Scenario) -> list[Entry]:
    async def found() -> list[Entry]:
        return [
            entry
            async for entry in trail(scenario.system)
            if entry.command.endswith(f".{REPORTED}")
        ]

    found_ = scenario.run(found())
    return sorted(found_, key=lambda entry: (entry.position, rule_of(entry)))


def counted(system: System, rule: str = "money is conserved", context: str = "banking") -> float:
    labels = {"context": context, "rule": rule}
    registry = system.telemetry.registry
    return registry.get_sample_value("invariant_breaches_total", labels) or 0.0


def remembered(scenario: Scenario) -> list[tuple[Any, ...]]:
    dot = "_" if scenario.system.databases["banking"].is_sqlite else "."
    return scenario.sql(f"SELECT rule, key, value FROM banking{dot}watched ORDER BY 1, 2")


@pytest.mark.parametrize("rule", BROKEN_BY)
def test_a_log_that_is_broken_by_hand_is_told(world: Scenario, rule: str) -> None:
    history = BROKEN_BY[rule]
    context = history[-1][1].TOPIC.partition(".")[0]
    put(world, history)
    with structlog.testing.capture_logs() as lines:
        watched(world, context)
    told = [entry for entry in entries(world) if rule_of(entry) == rule]
    at = [at for _, at in world.facts() if at.context == context]
    broken = next(one for one in at if told[0].position == one.position)
    assert broken.stream == told[0].resource
    assert counted(world.system, rule, context) == len(told) == 1
    assert [line["rule"] for line in lines if line["log_level"] == "error"].count(rule) == 1
    (entry,) = told
    assert (entry.actor, entry.result) == (f"watch:{context}", "breached")
    assert entry.correlation_id == broken.correlation_id
    assert f"{context}={broken.position} {broken.topic}" in str(entry.detail)
    assert f"by given {broken.command_id} of given" in str(entry.detail)


def test_a_breach_names_the_commands_that_led_to_it(banking: Scenario) -> None:
    for id in (ALICE, BOB):
        ask = OpenAccount(account_id=id, holder_id=HOLDERS[id], kind="savings", currency="EUR")
        deposit = DepositMoney(account_id=id, deposit_id=T, amount=100, currency="EUR")
        banking.when(ask, deposit, by=teller)
    banking.when(pay(), by=alice)
    watched(banking)
    assert entries(banking) == []
    place = next(at.position for fact, at in banking.facts() if isinstance(fact, AccountCredited))
    dot = "_" if banking.system.databases["banking"].is_sqlite else "."
    forget = f"DELETE FROM banking{dot}%s"
    for table in ("watched", "readers"):
        banking.sql(forget % table)
    (data,) = banking.sql(
        f"SELECT CAST(data AS text) FROM banking{dot}events WHERE position = {place}"
    )[0]
    spoilt = str(data).replace('"amount":40', '"amount":41')
    assert spoilt != data
    banking.sql(f"UPDATE banking{dot}events SET data = '{spoilt}' WHERE position = {place}")
    banking.system.tails["banking"]._facts.clear()
    watched(banking)
    detail = str(entries(banking)[0].detail)
    causes = [line.split()[1] for line in detail.splitlines() if line.startswith("by ")]
    assert causes[0] == "banking.CreditAccount"
    assert causes[-1] == "banking.RequestTransfer"
    assert "banking.DebitAccount" in causes


def test_it_goes_on_after_a_restart_from_what_it_remembers(
    banking: Scenario, settings: Settings
) -> None:
    put(banking, FUNDED)
    watched(banking)
    again = banking.run(open_system(settings))
    try:
        put(banking, [(ALICE, deposited(5, 106))])
        reader = watch_of(again)
        banking.run(reader.resume())
        assert reader.position == len(FUNDED)
        watched(banking, system=again)
        found = {(rule_of(entry), entry.position) for entry in entries(banking)}
        assert ("balances follow from postings", 5) in found
        assert counted(again, "balances follow from postings") == 1
    finally:
        banking.run(again.close())


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_it_finds_and_remembers_the_same_in_batches_of_any_size(
    banking: Scenario, size: int
) -> None:
    history = [*FUNDED, (BOB, credited()), (ALICE, deposited(5, 106)), (CASH, entered(5, -105))]
    put(banking, history)
    reader = watch_of(banking.system)
    reader._limit = reader._batch = reader._most = size
    watched(banking)
    watchers = banking_rules.watch()
    for stream, fact in history:
        for watcher in watchers:
            watcher.see(stream, fact)
    kept = [
        (watcher.name, ":".join(map(str, place)), value)
        for watcher in watchers
        for place, value in watcher.memory.items()
    ]
    assert {(rule, key): value.strip('"') for rule, key, value in remembered(banking)} == {
        (rule, key): str(value) for rule, key, value in kept
    }
    told = [rule_of(entry) for entry in entries(banking)]
    assert sorted(told) == sorted(
        watcher.name for watcher in watchers for _ in set(watcher.breaches())
    )


def test_a_breach_is_told_once_though_the_watch_fails_in_the_middle(banking: Scenario) -> None:
    put(banking, [*FUNDED, (BOB, credited())])
    reader = watch_of(banking.system)
    output = reader._output

    async def torn(facts: Any) -> Any:
        inner = await output(facts)

        async def store(connection: Any) -> None:
            await inner(connection)
            raise ZeroDivisionError

        return store

    reader._output = torn
    with pytest.raises(ZeroDivisionError):
        banking.run(reader.step())
    assert (entries(banking), remembered(banking), counted(banking.system)) == ([], [], 0)
    reader._output = output
    watched(banking)
    told = [entry for entry in entries(banking) if rule_of(entry) == "money is conserved"]
    assert len(told) == 1
    assert counted(banking.system) == 1


def test_a_watch_can_be_left_out(settings: Settings, banking: Scenario) -> None:
    without = banking.run(open_system(settings.model_copy(update={"watch_facts_per_s": 0})))
    assert without.guards.watches == []
    banking.run(without.close())


@pytest.mark.parametrize(("rest_s", "guarded"), [(0.0, True), (0.01, False)])
def test_a_bulk_load_leaves_watching_to_whoever_serves(
    banking: Scenario, rest_s: float, guarded: bool
) -> None:
    banking.run(banking.system.follow(rest_s=rest_s))
    names = {task.get_name().partition(":")[0] for task in banking.system.tasks}
    assert ({"watch", "drift"} <= names) is guarded


def test_a_watch_far_behind_is_shown_and_keeps_nobody_from_being_ready(banking: Scenario) -> None:
    put(banking, FUNDED)
    banking.run(banking.system.measure())
    gauges = banking.system.telemetry.gauges
    at_rest = {(f"watch:{context}", context): 0 for context in CONTEXTS}
    assert gauges.watch_lag == at_rest | {("watch:banking", "banking"): 4}
    assert ("watch:banking", "banking") not in gauges.lag
