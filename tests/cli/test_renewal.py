"""A deployment that changes a projection: noticed at start, rebuilt beside what serves."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening
from tests.cli.program import Program

MAX_WAIT_S = 60
ACCOUNT = "WHERE projection LIKE '%account'"
CURRENT = f"SELECT version FROM banking.versions {ACCOUNT}"
OLD = f"UPDATE banking.versions SET version = 'old' {ACCOUNT}"
OTHER = f"UPDATE banking.versions SET version = 'old', layout = 'old' {ACCOUNT}"
BALANCES = "SELECT balance FROM banking.accounts ORDER BY balance"


@pytest.fixture
def lived(aorist: Program) -> Program:
    aorist("run", aorist.file(opening(ALICE), opening(BOB), deposit(1), deposit(2, account=BOB)))
    return aorist


@pytest.fixture
def working(lived: Program) -> Iterator[Callable[[], None]]:
    processes = []
    yield lambda: processes.append(lived.start("work", "--context", "banking"))
    for process in processes:
        process.terminate()
        process.join(MAX_WAIT_S)


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + MAX_WAIT_S
    while not ready():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.05)


def change(program: Program, statement: str) -> None:
    if not program.url.startswith("sqlite"):
        statement += " RETURNING 1"
    program.sql(statement)


def test_changed_code_is_noticed_and_its_tables_are_rebuilt(
    lived: Program, working: Callable[[], None]
) -> None:
    current = lived.sql(CURRENT)
    change(lived, OLD)
    change(lived, "UPDATE banking.accounts SET balance = 7")
    assert "banking.account is of another version of the program" in lived("doctor").out
    working()
    until(lambda: lived.sql(CURRENT) == current)
    assert lived.sql(BALANCES) == [(100,), (100,)]
    lived("run", lived.file(deposit(3)), "--no-follow")
    until(lambda: lived.sql(BALANCES) == [(100,), (200,)])
    undone = lived("replay", "banking.account", "--prune").out
    assert "pruned   banking.account: accounts" in undone
    assert "another version" not in lived("doctor").out


@pytest.mark.parametrize("store", ["postgres"])
def test_two_workers_rebuild_it_once_and_both_go_on(
    lived: Program, working: Callable[[], None]
) -> None:
    current = lived.sql(CURRENT)
    change(lived, OLD)
    working()
    working()
    until(lambda: lived.sql(CURRENT) == current)
    lived("run", lived.file(deposit(3)), "--no-follow")
    until(lambda: lived.sql(BALANCES) == [(100,), (200,)])


@pytest.mark.parametrize("store", ["postgres"])
def test_changed_tables_stand_by_until_they_are_rebuilt(
    lived: Program, working: Callable[[], None]
) -> None:
    current = lived.sql(CURRENT)
    lived.sql("ALTER TABLE banking.accounts RENAME COLUMN balance TO saldo")
    change(lived, OTHER)
    assert lived.sql("SELECT saldo FROM banking.accounts") == [(100,), (100,)]
    working()
    until(lambda: lived.sql(CURRENT) == current)
    assert lived.sql(BALANCES) == [(100,), (100,)]
    lived("run", lived.file(deposit(3)), "--no-follow")
    until(lambda: lived.sql(BALANCES) == [(100,), (200,)])


@pytest.mark.parametrize("store", ["sqlite"])
def test_the_code_from_before_gets_its_tables_back_at_once(
    lived: Program, working: Callable[[], None]
) -> None:
    current = lived.sql(CURRENT)
    lived("replay", "banking.account")
    change(lived, OLD)  # a newer version was deployed, and is taken back now
    change(lived, "UPDATE banking.accounts SET balance = 7")
    working()
    until(lambda: lived.sql(CURRENT) == current)
    until(lambda: lived.sql(BALANCES) == [(100,), (100,)])
