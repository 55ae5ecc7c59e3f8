"""Two processes with states in memory: what one of them remembers is what the log says."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from commands.banking.hold import PlaceHold
from domain.banking.account import Account
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.banking.bank import ALICE, HOLD, process, with_money
from tests.scenario import MovableClock, Scenario

HOLDING = PlaceHold(account_id=ALICE, hold_id=HOLD, amount=40, currency="EUR", lifetime_s=60)


@pytest.fixture
def later(banking: Scenario, settings: Settings) -> Iterator[System]:
    """Another process, whose clock is an hour ahead."""
    clock = MovableClock()
    clock.moved = timedelta(hours=1)
    system = banking.run(open_system(settings, clock=clock))
    yield system
    banking.run(system.close())


def test_a_step_that_another_process_took_leaves_nothing_in_memory(banking, later) -> None:
    """Two workers take one step: same command, same id. Only one of them has decided it."""
    banking.given({ALICE: with_money(100)})
    streams = later.logs["banking"].streams
    assert banking.run(streams.get(Account, ALICE)).version == 2
    step = {"key": "a fact's position", "command_id": uuid4()}

    first = banking.send(HOLDING, by=process, **step)
    second = banking.send(HOLDING, by=process, to=later, **step)
    assert (second.receipt, second.replayed) == (first.receipt, False)
    newest = banking.run(streams.get(Account, ALICE))
    assert (newest.version, newest.state) == (3, banking.state(Account, ALICE))
