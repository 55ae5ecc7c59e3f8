"""`aorist check --drift`: single rows that are not what the facts say are named, and mended."""

import re

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening
from tests.cli.program import Program


@pytest.fixture
def lived(aorist: Program) -> Program:
    lines = [opening(ALICE), opening(BOB), *[deposit(number) for number in range(1, 6)]]
    aorist("run", aorist.file(*lines), "--concurrency", "1")
    return aorist


WRONG = {
    "a wrong value": (
        "UPDATE banking.accounts SET balance = balance + 1 WHERE balance = 500",
        f"banking.accounts {ALICE}: balance: 501 should be 500",
    ),
    "a missing row": (
        "DELETE FROM banking.statement_lines WHERE position = 5",
        "banking.statement_lines 5: missing",
    ),
    "a row too many": (
        "INSERT INTO banking.statement_lines SELECT 1000, account_id, kind, posting_id, amount,"
        " currency, balance, detail, posted_at FROM banking.statement_lines WHERE position = 5",
        "banking.statement_lines 1000: should not be there",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_row_that_drifted_is_named_then_mended_and_in_the_audit_trail(
    lived: Program, what: str
) -> None:
    statement, named = WRONG[what]
    lived.sql(statement)
    said = lived("check", "--drift", "--context", "banking", code=1).out
    assert named in said
    assert "0 of 1 mended" in said
    assert lived("audit", "--format", "json", "--actor", "aorist check").json == []
    said = lived("check", "--drift", "--repair", "--context", "banking").out
    assert "1 of 1 mended" in said
    assert named in said
    [entry] = lived("audit", "--format", "json", "--actor", "aorist check").json
    assert entry["command"] == "banking.MendRow"
    row, _, wrong = named.partition(": ")
    assert f"row {row}: {wrong}" in entry["detail"]
    said = lived("check", "--drift", "--context", "banking").out
    assert " mended" not in said
    assert said.endswith("everything holds\n")
    assert "FAIL" not in lived("check", "--context", "banking").out


def test_a_sound_system_is_said_to_be_so_with_counts(lived: Program) -> None:
    said = lived("check", "--drift").out
    assert re.search(r"rows of banking\.account are .* \(2 rows at position \d+\)", said)
    assert "rows of social.post are what the facts fold to (0 rows at position 0)" in said
    assert said.endswith("everything holds\n")


def test_what_differs_widely_is_left_to_a_rebuild(lived: Program) -> None:
    more = [deposit(number) for number in range(10, 40)]
    lived("run", lived.file(*more))
    lived.sql("UPDATE banking.statement_lines SET detail = 'other'")
    said = lived("check", "--drift", "--repair", "--context", "banking", code=1).out
    assert "more than 20 rows differ and none is mended" in said
    assert lived("audit", "--format", "json", "--actor", "aorist check").json == []


def test_repair_alone_makes_no_sense(lived: Program) -> None:
    assert "give both" in lived("check", "--repair", code=2).err
