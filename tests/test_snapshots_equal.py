"""Whatever happens, in whichever process: a load from a snapshot is the fold of the facts."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as some

from commands.banking.account import (
    CloseAccount,
    DepositMoney,
    FreezeAccount,
    OpenAccount,
    UnfreezeAccount,
    WithdrawMoney,
)
from commands.banking.hold import PlaceHold, ReleaseHold
from commands.banking.transfer import RequestTransfer
from domain import Refused, State
from infra.check import examine
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.scenario import Scenario

EUR: dict[str, Any] = {"currency": "EUR"}


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots of every kind of state, every second fact."""
    monkeypatch.setattr(State, "SNAPSHOT_EVERY", 2)


@pytest.fixture
def two(often: None, banking: Scenario, settings: Settings) -> Iterator[tuple[Scenario, System]]:
    """A bank, and another process on its store."""
    system = banking.run(open_system(settings, clock=banking.clock))
    yield banking, system
    banking.run(system.close())


def commands(ids: list[UUID]) -> dict[str, Callable[[int, UUID, UUID], Any]]:
    """What may happen, given an amount, an account and another one."""
    holds: list[UUID] = []

    def hold(amount: int, account: UUID, other: UUID) -> PlaceHold:
        holds.append(uuid4())
        return PlaceHold(account_id=account, hold_id=holds[-1], amount=amount, **EUR)

    def release(amount: int, account: UUID, other: UUID) -> ReleaseHold:
        return ReleaseHold(account_id=account, hold_id=holds[-1] if holds else uuid4())

    return {
        "deposit": lambda n, a, b: DepositMoney(account_id=a, deposit_id=uuid4(), amount=n, **EUR),
        "withdraw": lambda n, a, b: WithdrawMoney(
            account_id=a, withdrawal_id=uuid4(), amount=n, **EUR
        ),
        "transfer": lambda n, a, b: RequestTransfer(
            transfer_id=uuid4(), source=a, target=b, amount=n, **EUR
        ),
        "freeze": lambda n, a, b: FreezeAccount(account_id=a, reason="a court order"),
        "unfreeze": lambda n, a, b: UnfreezeAccount(account_id=a, reason="lifted"),
        "close": lambda n, a, b: CloseAccount(account_id=a),
        "hold": hold,
        "release": release,
    }


STEP = some.tuples(
    some.sampled_from(
        ["deposit"] * 6
        + ["withdraw", "transfer", "hold", "release"] * 3
        + ["freeze", "unfreeze", "close", "forget", "settle", "delete", "later"]
    ),
    some.integers(1, 400),
    some.booleans(),
    some.booleans(),
)


@effort(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=some.lists(STEP, min_size=5, max_size=40))
def test_a_bank_with_snapshots_is_the_bank_without(two, steps: list[Any]) -> None:
    banking, other = two
    ids = [uuid4(), uuid4()]
    possible = commands(ids)
    for id in ids:
        banking.send(OpenAccount(account_id=id, holder_id=uuid4(), kind="checking", **EUR))
    for what, amount, swapped, there in steps:
        system = other if there else banking.system
        account, counterpart = reversed(ids) if swapped else ids
        if what in possible:
            with suppress(Refused):
                banking.send(possible[what](amount, account, counterpart), to=system)
        elif what == "forget":
            for id in ids:
                system.logs["banking"].streams.drop(id)
        elif what == "delete":
            table = "banking_snapshots" if _is_sqlite(banking) else "banking.snapshots"
            banking.sql(f"DELETE FROM {table} WHERE version % 2 = {amount % 2}")
        elif what == "later":
            banking.clock.moved += timedelta(minutes=amount)
        else:
            banking.settle()
    banking.settle()
    for system in (banking.system, other):
        banking.run(system.snapshots_written())
        _every_stream_is_its_fold(banking, system)
    findings = banking.run(examine(banking.system, "banking", lambda seen, head: None))
    assert [finding.breaches for finding in findings if not finding.good] == []


def _every_stream_is_its_fold(banking: Scenario, system: System) -> None:
    streams = system.logs["banking"].streams
    kinds = {at.stream: at.kind for _, at in banking.facts()}
    found = {}
    for id, kind in kinds.items():
        streams.drop(id)
        state = system.features.states[kind]
        found[id] = banking.run(streams.get(state, id)).state, banking.state(state, id)
    assert all(loaded == folded for loaded, folded in found.values())
    assert all(repr(loaded) == repr(folded) for loaded, folded in found.values())


def _is_sqlite(banking: Scenario) -> bool:
    return banking.system.databases["banking"].is_sqlite
