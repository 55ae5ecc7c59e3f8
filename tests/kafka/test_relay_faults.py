"""The relay while brokers are full, stand still, or are too few: nothing is lost or doubled."""

from pathlib import Path
from uuid import UUID

import pytest

from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, cluster, wait_until
from tests.kafka.conftest import Relays
from tests.kafka.mirrored import faults, mirrored, wait_for
from tests.kafka.test_relay import FACTS_OF_EACH, HISTORY
from tests.scenario import Scenario

pytestmark = LEAVES_SOCKETS
TOPIC = "faults.banking"
SESSION_MS = "3000"


def more(banking: Scenario, number: int) -> int:
    """Put facts into the log; return how many there are then."""
    banking.given({UUID(int=100 + number): HISTORY[UUID(int=1)]})
    return (number + 1) * FACTS_OF_EACH


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_whatever_happens_to_the_brokers_every_fact_is_there_once(
    banking: Scenario, settings: Settings, relays: Relays, tmp_path: Path
) -> None:
    with cluster(tmp_path, broker_session_timeout_ms=SESSION_MS) as three:
        at = three.bootstrap

        def count() -> int:
            return len(mirrored(at, TOPIC))

        with relays.running(settings, "faults", at):
            wait_for(more(banking, 0), count)
            three.pause(2)
            wanted = more(banking, 1)
            wait_until(lambda: three.seen_by(3) == 2, "a broker that stands still is left out")
            three.resume(2)
            wait_until(lambda: three.seen_by(3) == 3, "it is back")
            wait_for(wanted, count)
            three.fill(1)
            wait_for(more(banking, 2), count)
            three.kill(2)
            wanted = more(banking, 3)  # one of three is too few; commands need none
            three.start(2)
            wait_for(wanted, count)
        facts = [fact for fact, _ in banking.facts()]
        assert faults(mirrored(at, TOPIC), facts) == []
