"""What the relay says of itself while Kafka is away, stands still, and is back."""

from uuid import UUID

import pytest

from infra.kafka import producing, topics
from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, bootstrap, wait_until
from tests.kafka.beside import beside
from tests.kafka.mirrored import faults, mirrored
from tests.kafka.proxy import proxy
from tests.kafka.test_relay import FACTS_OF_EACH, HISTORY
from tests.scenario import Scenario

pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["sqlite"], indirect=True)]
BUDGET = FACTS_OF_EACH - 1
FAILING = 'relay_failing{context="banking"}'
FAILURES = 'relay_failures_total{context="banking"}'
LAG = 'relay_lag_facts{context="banking"}'
TOO_FAR = f"relay banking is {FACTS_OF_EACH} facts behind, more than {BUDGET}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long as in production for a broker that is away."""
    for options in (topics.PATIENCE, producing.TUNING):
        monkeypatch.setitem(options, "bootstrap_timeout_ms", 500)
        monkeypatch.setitem(options, "request_timeout_ms", 1_000)
    monkeypatch.setattr(producing, "CHUNK_S", 2.0)


def test_it_says_how_far_behind_it_is_and_catches_up_by_itself(
    banking: Scenario, settings: Settings, prefix: str
) -> None:
    def more(number: int) -> None:
        banking.given({UUID(int=100 + number): HISTORY[UUID(int=1)]})

    with proxy() as way:
        more(0)
        way.cut()
        with beside(settings, prefix, connection={"proxy_url": way.url}, lag_budget=BUDGET) as told:
            wait_until(lambda: told.figure(FAILING) == 1, "no broker is there")
            code, (problem,) = told.ready()
            assert (code, problem.partition(": ")[0]) == (503, "relay banking")
            assert told.figure(LAG) is None, "nobody knows how far the mirror is"

            way.mend()
            wait_until(lambda: told.ready() == (200, []), "it has found the broker")
            wait_until(lambda: told.figure(LAG) == 0, "it has caught up")
            assert told.figure(FAILING) == 0
            assert (told.figure(FAILURES) or 0) > 0

            way.stall()
            more(1)
            wait_until(lambda: told.figure(LAG) == FACTS_OF_EACH, "the broker stands still")
            assert told.ready() == (503, [TOO_FAR])
            way.mend()
            wait_until(lambda: told.ready() == (200, []), "it goes on")

            way.cut()
            more(2)
            wait_until(lambda: told.figure(FAILING) == 1, "the broker went away")
            code, problems = told.ready()
            assert (code, problems[1:]) == (503, [TOO_FAR])
            way.mend()
            wait_until(lambda: told.ready() == (200, []), "it goes on again")
            wait_until(lambda: told.figure(LAG) == 0, "it has caught up again")
    facts = [fact for fact, _ in banking.facts()]
    assert faults(mirrored(bootstrap(), f"{prefix}.banking"), facts) == []
