"""`aorist replay`: a rebuilt read model equals the live one, or the rows that differ are named."""

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening
from tests.cli.program import Program


@pytest.fixture
def lived(aorist: Program) -> Program:
    aorist("run", aorist.file(opening(ALICE), opening(BOB), deposit(1), deposit(2, account=BOB)))
    return aorist


def test_all_projections_one_contexts_or_one_are_rebuilt(lived: Program) -> None:
    everything = lived("replay").out.splitlines()
    assert all(line.startswith("equal ") for line in everything)
    banking = lived("replay", "--context", "banking").out.splitlines()
    assert 1 < len(banking) < len(everything)
    (account,) = lived("replay", "banking.account").out.splitlines()
    assert "banking.account: 6 rows at position 8" in account
    assert "no projection is called 'banking.vault'" in lived("replay", "banking.vault", code=1).err


def test_rows_that_differ_are_named_by_key_and_replaced_when_accepted(lived: Program) -> None:
    lived.sql(f"UPDATE banking.accounts SET balance = 7 WHERE id = '{key(ALICE, lived)}'")
    lived.sql(f"DELETE FROM banking.accounts WHERE id = '{key(BOB, lived)}'")
    done = lived("replay", "banking.account", code=1)
    assert "DIFFERS  banking.account" in done.out
    assert f"banking.accounts {ALICE}: balance: live 7, rebuilt 100" in done.out
    assert f"banking.accounts {BOB}: missing in the live table" in done.out
    assert lived.sql("SELECT balance FROM banking.accounts") == [(7,)], "nothing is mended unasked"
    accepted = lived("replay", "banking.account", "--accept")
    assert "replaced banking.account" in accepted.out
    assert lived.sql("SELECT balance FROM banking.accounts") == [(100,), (100,)]
    assert "equal " in lived("replay", "banking.account").out


def test_a_reader_that_is_behind_is_compared_where_it_is(lived: Program) -> None:
    lived("run", lived.file(deposit(3), deposit(4)), "--no-follow")
    said = lived("replay", "banking.account").out
    assert "equal " in said
    assert "at position 8" in said
    assert "the live reader is 4 facts behind the log" in said


def key(id: str, program: Program) -> str:
    """Return an id as the store's read models keep it."""
    return id.replace("-", "") if program.url.startswith("sqlite") else id
