"""`aorist events --follow`, and a server's readers beside a run: processes on one store."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening, transfer
from tests.cli.program import Program
from tests.source import ROOT

MAX_WAIT_S = 30.0
TRANSFER = "7a000000-0000-4000-8000-00000000000{}"


@pytest.fixture
def following(aorist: Program) -> Iterator["subprocess.Popen[str]"]:
    words = ["events", "--follow", "--json", "--topic", "banking.account."]
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "--database-url", aorist.url, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    giving_up = threading.Timer(MAX_WAIT_S, process.kill)
    giving_up.start()
    yield process
    giving_up.cancel()
    process.kill()
    process.communicate()


def test_new_facts_are_followed(aorist: Program, following: "subprocess.Popen[str]") -> None:
    assert following.stdout is not None
    aorist("run", aorist.file(opening(ALICE)), "--no-follow")
    assert json.loads(following.stdout.readline())["topic"] == "banking.account.opened"
    aorist("run", aorist.file(deposit(1)), "--no-follow")
    assert json.loads(following.stdout.readline())["topic"] == "banking.account.money_deposited"


def test_a_run_beside_a_worker_has_every_effect_once(aorist: Program) -> None:
    worker = aorist.start("work")
    try:
        lines = [opening(ALICE), opening(BOB)]
        lines += [deposit(number) for number in range(1, 200)]
        lines += [transfer(TRANSFER.format(number), 10) for number in range(1, 10)]
        done = aorist("run", aorist.file(*lines), "--json").json
        assert done["accepted"] == len(lines)
    finally:
        worker.terminate()
        worker.join(MAX_WAIT_S)
    rows = aorist.sql("SELECT balance FROM banking.accounts ORDER BY balance")
    assert [balance for (balance,) in rows] == [90, 199 * 100 - 90]
    assert "everything holds" in aorist("check").out
