"""`aorist parked`: what stands aside is listed, shown, retried and dropped, with a reason."""

import json

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening
from tests.cli.program import Program

STATEMENT = "banking.statement"


@pytest.fixture
def stuck(aorist: Program) -> Program:
    """A line of Alice's statement is there before its deposit: that one and the next are parked."""
    aorist("run", aorist.file(opening(ALICE), opening(BOB)))
    aorist("run", aorist.file(deposit(1), deposit(2)), "--no-follow", "--concurrency", "1")
    where = "WHERE topic LIKE '%.money_deposited' AND version = 2"
    [(position,)] = aorist.sql(f"SELECT position FROM banking.events {where}")
    columns = "account_id, kind, posting_id, amount, currency, balance, detail, posted_at"
    aorist.sql(
        f"INSERT INTO banking.statement_lines (position, {columns}) "
        f"SELECT {position}, {columns} FROM banking.statement_lines LIMIT 1"
    )
    aorist("run", aorist.file(deposit(3, account=BOB)))
    return aorist


def mend(program: Program) -> None:
    found = "(SELECT max(position) FROM banking.statement_lines WHERE kind = 'opening')"
    program.sql(f"DELETE FROM banking.statement_lines WHERE position = {found}")


def test_parked_facts_are_listed_shown_and_retried_with_a_reason(stuck: Program) -> None:
    listed = stuck("parked", "list", "--reader", STATEMENT).out.splitlines()
    assert listed[0].split() == ["reader", "key", "facts", "first", "last", "since", "error"]
    assert listed[1].split()[:3] == [STATEMENT, ALICE, "2"]
    groups = stuck("parked", "list", "--json").json_lines
    assert [(group["reader"], group["facts"]) for group in groups] == [(STATEMENT, 2)]
    shown = stuck("parked", "show", STATEMENT, ALICE).out
    assert "ImpossibleChange" in shown
    assert "waits behind it" in shown
    told = stuck("doctor", code=1).out
    assert f"MEND  banking: {STATEMENT} has parked 2 facts of 1 keys" in told
    again = stuck("parked", "retry", STATEMENT, "--reason", "try", code=1).out
    assert "0 facts handled, 2 still parked: ImpossibleChange" in again
    mend(stuck)
    done = stuck("parked", "retry", "--error", "statement_lines", "--reason", "restored").out
    assert f"{STATEMENT}, key {ALICE}: 2 facts handled" in done
    assert stuck("parked", "list").out == "nothing is parked\n"
    assert stuck("check").code == 0
    trail = stuck("audit", "--resource", ALICE, "--format", "json").json
    made = [entry for entry in trail if entry["command"] == "banking.RetryParked"]
    assert {(one["result"], one["reason"]) for one in made} == {
        ("failed", "try"),
        ("done", "restored"),
    }
    assert all(one["actor"].startswith("operator:") for one in made)


def test_a_dropped_fact_is_left_out(stuck: Program) -> None:
    words = ("--reason", "nobody has it", "--actor", "olga")
    left = stuck("parked", "drop", STATEMENT, ALICE, *words).out
    assert "1 left out, 1 still parked" in left
    stuck("parked", "retry", STATEMENT, ALICE, *words)
    assert [entry["actor"] for entry in _by(stuck, "olga")] == ["olga", "olga"]
    assert "only in the live table" not in stuck("replay", STATEMENT, code=1).out


def _by(program: Program, actor: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        program("audit", "--actor", actor, "--format", "json").out
    )
    return found


def test_what_is_not_there_is_named(embedded: Program) -> None:
    assert "no reader is called 'x'" in embedded("parked", "show", "x", "y", code=1).err
    assert "has parked nothing of y" in embedded("parked", "show", STATEMENT, "y", code=1).err
    assert "--all" in embedded("parked", "retry", "--reason", "x", code=2).err
    assert embedded("parked", "retry", "--all", "--reason", "x").out == (
        "nothing like that is parked\n"
    )
