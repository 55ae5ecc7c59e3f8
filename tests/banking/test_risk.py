"""Risk rules: the same facts and rules give the same answer, and order never lowers it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.banking.risk import AssessTransfer
from domain import Event, ProcessOnly
from domain.banking.risk import (
    MEMORY,
    STANDARD,
    LargeAmount,
    Risk,
    RuleSet,
    Severity,
    TransferAssessed,
    Velocity,
    highest,
    risk_id,
)
from domain.banking.transfer import TransferCompleted
from projections.banking.risk import risk_flags
from tests.banking.bank import (
    ALICE,
    BOB,
    HOLD,
    HOUR,
    LARGE,
    MINUTE,
    NOON,
    T2,
    T,
    alice,
    opened,
    pay,
    placed,
    shop,
    with_money,
)
from tests.scenario import Scenario

severities = st.sampled_from(tuple(Severity))
rules = st.lists(
    st.one_of(
        st.builds(
            LargeAmount,
            name=st.sampled_from("abc"),
            priority=st.integers(0, 3),
            severity=severities,
            at_least=st.integers(1, 100),
        ),
        st.builds(
            Velocity,
            name=st.sampled_from("xyz"),
            priority=st.integers(0, 3),
            severity=severities,
            window=st.sampled_from((MINUTE, HOUR)),
            at_most=st.integers(0, 5),
            sum_at_most=st.integers(0, 300),
        ),
    ),
    max_size=6,
    unique_by=lambda rule: rule.name,
)
amounts = st.lists(st.tuples(st.integers(1, 120), st.integers(0, 90)), min_size=1, max_size=8)


def assess(risk: Risk, number: int, amount: int, now: Any, **terms: Any) -> TransferAssessed:
    asked: dict[str, Any] = {"held": False, "rules": STANDARD} | terms
    [fact] = risk.assess(UUID(int=number), ALICE, amount, "EUR", now=now, **asked)
    assert isinstance(fact, TransferAssessed)
    return fact


def walk(asked: list[tuple[int, int]], found: tuple[Any, ...]) -> list[TransferAssessed]:
    """Assess transfers one after the other; each is (amount, minutes after noon)."""
    facts: list[TransferAssessed] = []
    for number, (amount, minutes) in enumerate(asked):
        now = NOON + minutes * MINUTE
        risk = Risk().fold(facts)
        facts.append(assess(risk, number, amount, now, rules=RuleSet("1", found)))
    return facts


@settings(max_examples=60)
@given(amounts, rules, st.randoms())
def test_the_order_of_rules_changes_nothing(
    asked: list[tuple[int, int]], found: list[Any], chance: Any
) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)
    first, second = walk(asked, tuple(found)), walk(asked, tuple(shuffled))
    assert first == second
    for fact in first:
        assert fact.severity == highest(rule.severity for rule in fact.fired)


@settings(max_examples=60)
@given(amounts, rules, rules)
def test_more_rules_never_lower_the_severity(
    asked: list[tuple[int, int]], fewer: list[Any], others: list[Any]
) -> None:
    more = [*fewer, *(rule for rule in others if rule.name not in {r.name for r in fewer})]
    order = list(Severity)
    for less, all in zip(walk(asked, tuple(fewer)), walk(asked, tuple(more)), strict=True):
        assert order.index(Severity(all.severity)) >= order.index(Severity(less.severity))
        assert set(less.fired) <= set(all.fired)


def test_a_large_amount_wants_a_person() -> None:
    assert assess(Risk(), 1, LARGE - 1, NOON).fired == ()
    fact = assess(Risk(), 1, LARGE, NOON)
    assert (fact.severity, fact.rules_version) == ("review", STANDARD.version)
    assert [rule.name for rule in fact.fired] == ["large_amount"]
    assert str(LARGE) in fact.fired[0].detail


def test_many_transfers_within_the_hour_want_a_person() -> None:
    facts: list[TransferAssessed] = []
    for number in range(21):
        facts.append(assess(Risk().fold(facts), number, 1, NOON + number * 2 * MINUTE))
    assert [fact.severity for fact in facts] == ["clear"] * 20 + ["review"]
    later = assess(Risk().fold(facts), 99, 1, NOON + 3 * HOUR)
    assert later.severity == "clear"


def test_much_money_within_the_hour_wants_a_person() -> None:
    first = [assess(Risk(), 1, LARGE - 1, NOON)]
    first.append(assess(Risk().fold(first), 2, LARGE - 1, NOON + 10 * MINUTE))
    third = assess(Risk().fold(first), 3, 3, NOON + 20 * MINUTE)
    assert [rule.name for rule in third.fired] == ["velocity"]


def test_a_burst_is_noted_and_stops_nothing() -> None:
    facts: list[TransferAssessed] = []
    for number in range(6):
        facts.append(assess(Risk().fold(facts), number, 1, NOON))
    assert [fact.severity for fact in facts] == ["clear"] * 5 + ["notice"]


def test_drawing_on_a_hold_is_no_velocity_and_a_large_amount_still_is_one() -> None:
    facts = [assess(Risk(), 0, 1, NOON)]
    for number in range(1, 2 * MEMORY):
        facts.append(assess(Risk().fold(facts), number, 1, NOON, held=True))
    assert {fact.severity for fact in facts} == {"clear"}
    assert assess(Risk().fold(facts), 999, 1, NOON).severity == "clear"
    assert assess(Risk().fold(facts), 999, LARGE, NOON, held=True).severity == "review"


def test_a_transfer_is_assessed_once_and_the_memory_is_bounded() -> None:
    facts = [assess(Risk(), 0, 1, NOON)]
    for number in range(1, 2 * MEMORY):
        facts.append(assess(Risk().fold(facts), number, 1, NOON + number * timedelta(days=1)))
    risk = Risk().fold(facts)
    assert len(risk.seen) == MEMORY
    last = UUID(int=2 * MEMORY - 1)
    assert risk.assess(last, ALICE, 1, "EUR", held=False, now=NOON, rules=STANDARD) == []


def test_the_standard_rules_fit_the_memory() -> None:
    for rule in STANDARD.rules:
        assert not isinstance(rule, Velocity) or rule.at_most < MEMORY


def test_every_rule_that_fired_is_shown(banking: Scenario) -> None:
    held = placed(LARGE, banking.clock.now() + HOUR, shop)
    history: dict[UUID, list[Event]] = {ALICE: [*with_money(3 * LARGE), held], BOB: [opened(BOB)]}
    banking.given(history).when(pay(2 * LARGE + 1), by=alice)
    assert [row["rule"] for row in banking.rows(risk_flags(ALICE))] == [
        "burst",
        "velocity",
        "large_amount",
    ]
    # What a hold was placed for is looked at for its size only.
    banking.when(pay(LARGE - 1, transfer_id=T2, hold_id=HOLD), by=shop)
    assert TransferCompleted() in banking.new_facts()
    [row, *_] = banking.rows(risk_flags())
    assert row["transfer_id"] == T
    assert row["amount"] == {"amount": 2 * LARGE + 1, "currency": "EUR"}


def test_an_assessment_is_a_step_of_the_process(banking: Scenario) -> None:
    ask = AssessTransfer(account_id=ALICE, transfer_id=T, amount=1, currency="EUR")
    banking.when(ask, by=alice).refused(ProcessOnly)
    assert risk_id(ALICE) != risk_id(BOB)


@pytest.mark.parametrize("found", [(), ("notice",), ("notice", "review", "clear")])
def test_the_highest_severity_counts(found: tuple[str, ...]) -> None:
    assert highest(found) == ("clear" if not found else max(found))
