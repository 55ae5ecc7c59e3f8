"""What the relay says of itself while Kafka is away, stands still, and is back."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, cluster, wait_until
from tests.kafka.mirrored import faults, mirrored
from tests.kafka.test_relay import FACTS_OF_EACH, HISTORY
from tests.scenario import Scenario
from tests.source import ROOT

pytestmark = LEAVES_SOCKETS
BUDGET = FACTS_OF_EACH - 1
FAILING = 'relay_failing{context="banking"}'
LAG = 'relay_lag_facts{context="banking"}'


class Told:
    """What a relay tells by HTTP."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ready(self) -> tuple[int, Any]:
        answer = self._client.get("/readyz")
        return answer.status_code, json.loads(answer.content)["problems"]

    def figure(self, name: str) -> float | None:
        text = self._client.get("/metrics").text
        found = re.search(rf"^{re.escape(name)} (.*)$", text, re.MULTILINE)
        return float(found[1]) if found else None


@contextmanager
def relay(settings: Settings, at: str, prefix: str) -> Iterator[Told]:
    """Run the program; it is told to end at the end."""
    given = {
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP": at,
        "KAFKA_PREFIX": prefix,
        "RELAY_PORT": "0",
        "LAG_BUDGET": str(BUDGET),
        "READER_POLL_MS": "20",
        "LOG_FORMAT": "json",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "relay", "--context", "banking"],
        cwd=ROOT,
        env={**os.environ, **{f"AORIST_{name}": value for name, value in given.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        assert "banking to" in process.stdout.readline()
        found = re.search("http://[0-9.:]+", process.stdout.readline())
        assert found
        with httpx.Client(base_url=found[0], timeout=20) as client:
            yield Told(client)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0, "it stops when it is told to"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_it_says_how_far_behind_it_is_and_catches_up_by_itself(
    banking: Scenario, settings: Settings, tmp_path: Path
) -> None:
    def more(number: int) -> None:
        banking.given({UUID(int=100 + number): HISTORY[UUID(int=1)]})

    with cluster(tmp_path, size=1, start=False) as one:
        more(0)
        with relay(settings, one.bootstrap, "told") as told:
            wait_until(lambda: told.figure(FAILING) == 1, "no broker is there")
            code, (problem,) = told.ready()
            assert (code, problem.partition(": ")[0]) == (503, "relay banking")
            assert told.figure(LAG) is None, "nobody knows how far the mirror is"

            one.start()
            wait_until(lambda: told.ready() == (200, []), "it has found the broker")
            wait_until(lambda: told.figure(LAG) == 0, "it has caught up")
            assert told.figure(FAILING) == 0
            assert (told.figure('relay_failures_total{context="banking"}') or 0) > 0

            one.pause(1)
            more(1)
            wait_until(lambda: told.figure(LAG) == FACTS_OF_EACH, "the broker stands still")
            assert told.ready() == (
                503,
                [f"relay banking is {FACTS_OF_EACH} facts behind, more than {BUDGET}"],
            )
            one.resume(1)
            wait_until(lambda: told.ready() == (200, []), "it goes on")
        facts = [fact for fact, _ in banking.facts()]
        assert faults(mirrored(one.bootstrap, "told.banking"), facts) == []
