"""The relay: every fact is on Kafka once, in order, whenever and wherever it was killed."""

import signal
from uuid import UUID

import pytest

from domain.banking.account import AccountFrozen, AccountOpened, AccountUnfrozen
from infra.kafka.producing import POINTS
from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, bootstrap
from tests.kafka.conftest import Relays
from tests.kafka.mirrored import faults, mirrored, wait_for
from tests.scenario import Scenario

pytestmark = LEAVES_SOCKETS
ACCOUNTS, FACTS_OF_EACH = 5, 50
HISTORY = {
    UUID(int=number + 1): [
        AccountOpened(holder_id=UUID(int=9), kind="checking", currency="EUR", number=f"DE{number}"),
        *(
            AccountFrozen(reason=f"{step}") if step % 2 else AccountUnfrozen(reason=f"{step}")
            for step in range(1, FACTS_OF_EACH)
        ),
    ]
    for number in range(ACCOUNTS)
}
TOTAL = ACCOUNTS * FACTS_OF_EACH
KILLED = str(-signal.SIGKILL)


def test_every_fact_is_there_once_in_order(
    banking: Scenario, settings: Settings, prefix: str, relays: Relays
) -> None:
    banking.given(HISTORY)
    with relays.running(settings, prefix):
        topic = f"{prefix}.banking"
        wait_for(TOTAL, lambda: len(mirrored(bootstrap(), topic)))
        banking.given({UUID(int=77): HISTORY[UUID(int=1)]})
        wait_for(TOTAL + FACTS_OF_EACH, lambda: len(mirrored(bootstrap(), topic)))
    facts = [fact for fact, _ in banking.facts()]
    assert faults(mirrored(bootstrap(), topic), facts) == []


@pytest.mark.parametrize("store", ["postgres"], indirect=True)  # it begins many relays
def test_a_relay_that_is_killed_anywhere_leaves_nothing_out_and_nothing_twice(
    banking: Scenario, settings: Settings, prefix: str, relays: Relays
) -> None:
    banking.given(HISTORY)
    facts = [fact for fact, _ in banking.facts()]
    topic = f"{prefix}.banking"
    for point in POINTS:
        # At its second chunk, but it begins once.
        pid = relays.start(settings, prefix, point, 1 if point in POINTS[:2] else 2)
        assert relays.end_of(pid) == KILLED, f"it never came to {point!r}"
        found = mirrored(bootstrap(), topic)
        assert faults(found, facts[: len(found)]) == []
        assert len(found) < TOTAL, "it was killed on its way"
    with relays.running(settings, prefix):
        wait_for(TOTAL, lambda: len(mirrored(bootstrap(), topic)))
    assert faults(mirrored(bootstrap(), topic), facts) == []


def test_two_relays_of_one_log_send_nothing_twice(
    banking: Scenario, settings: Settings, prefix: str, relays: Relays
) -> None:
    banking.given(HISTORY)
    topic = f"{prefix}.banking"
    with relays.running(settings, prefix), relays.running(settings, prefix):
        wait_for(TOTAL, lambda: len(mirrored(bootstrap(), topic)))
        banking.given({UUID(int=77): HISTORY[UUID(int=1)]})
        wait_for(TOTAL + FACTS_OF_EACH, lambda: len(mirrored(bootstrap(), topic)))
    facts = [fact for fact, _ in banking.facts()]
    assert faults(mirrored(bootstrap(), topic), facts) == []
