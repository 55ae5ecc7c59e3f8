"""Readers that follow Kafka: what they do is what they would have done from the log."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, bootstrap, wait_until
from tests.cli.bank import ALICE, BOB, deposit, opening, transfer
from tests.cli.program import Program
from tests.kafka.conftest import Relays
from tests.kafka.test_relay import KILLED
from tests.scenario import Scenario
from tests.source import ROOT

pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["postgres"], indirect=True)]
DEPOSITS, TRANSFERS = 40, 6  # more of these would need an approval
AMOUNT = 10
COMPLETED = "SELECT count(*) FROM banking.events WHERE topic = 'banking.transfer.completed'"
BALANCES = "SELECT id::text, balance FROM banking.accounts"


@contextmanager
def worker(settings: Settings, prefix: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "work", "--context", "banking", "--from", "kafka"],
        cwd=ROOT,
        env={
            **os.environ,
            "AORIST_DATABASE_URL": settings.database_url,
            "AORIST_KAFKA_BOOTSTRAP": bootstrap(),
            "AORIST_KAFKA_PREFIX": prefix,
            "AORIST_READER_POLL_MS": "20",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ids(first: int, number: int) -> list[str]:
    return [str(UUID(int=n, version=4)) for n in range(first, first + number)]


def test_three_workers_killed_and_stopped_and_a_killed_relay_do_each_step_once(
    banking: Scenario, settings: Settings, relays: Relays, prefix: str, tmp_path: Path
) -> None:
    aorist = Program(settings.database_url, tmp_path)

    def completed() -> int:
        return int(banking.sql(COMPLETED)[0][0])

    def send(first: int, number: int) -> None:
        lines = [transfer(id, AMOUNT) for id in ids(first, number)]
        aorist("run", aorist.file(*lines), "--no-follow")

    beginning = [opening(ALICE), opening(BOB)]
    aorist(
        "run",
        aorist.file(*beginning, *(deposit(number) for number in range(1, DEPOSITS + 1))),
        "--no-follow",
    )
    with ExitStack() as stack:
        dying = relays.start(settings, prefix, "acknowledged", 5)
        workers = [stack.enter_context(worker(settings, prefix)) for _ in range(3)]
        send(1, TRANSFERS)
        assert relays.end_of(dying) == KILLED
        stack.enter_context(relays.running(settings, prefix))
        wait_until(lambda: completed() == TRANSFERS, "they follow, and the process goes on")

        workers[0].send_signal(signal.SIGSTOP)
        workers[1].kill()
        send(1_000, TRANSFERS)
        wait_until(lambda: completed() == 2 * TRANSFERS, "the third one does it all")
        workers[0].send_signal(signal.SIGCONT)  # past its session: it has nothing any more
        send(2_000, TRANSFERS)
        wait_until(lambda: completed() == 3 * TRANSFERS, "it is shared again")
        moved = 3 * TRANSFERS * AMOUNT
        wanted = [(ALICE, 100 * DEPOSITS - moved), (BOB, moved)]
        wait_until(lambda: sorted(banking.sql(BALANCES)) == wanted, "the read model is there")
    assert "everything holds" in aorist("check", "--context", "banking").out
