"""`aorist audit`: who did what, when, why, with which result; refusals are in it."""

import csv
import io
import json

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening, withdrawal
from tests.cli.program import Program


@pytest.fixture
def lived(aorist: Program) -> Program:
    lines = [
        opening(ALICE, actor="teller", reason="=new customer"),
        opening(BOB, actor="teller"),
        deposit(1, actor="alice"),
        withdrawal(2, 10**6, actor="alice", reason="a yacht"),
        {"command": "CreateProfile", "actor": BOB, "fields": {"name": "Bob"}},
    ]
    aorist("run", aorist.file(*lines), "--no-follow", "--concurrency", "1")
    return aorist


def found(program: Program, *words: object) -> list[tuple[str, str, str]]:
    entries = program("audit", "--format", "json", *words).json
    done = [(one["actor"], one["command"].partition(".")[2], one["result"]) for one in entries]
    return [one for one in done if one[1] != "ReadTrail"]


def test_the_trail_is_filtered_by_who_what_and_when(lived: Program) -> None:
    refused = ("alice", "WithdrawMoney", "insufficient_funds")
    assert found(lived, "--actor", "alice") == [("alice", "DepositMoney", "accepted"), refused]
    assert found(lived, "--resource", ALICE) == [
        ("teller", "OpenAccount", "accepted"),
        ("alice", "DepositMoney", "accepted"),
        refused,
    ]
    assert found(lived, "--context", "social") == [(BOB, "CreateProfile", "accepted")]
    assert len(found(lived)) == 5
    assert len(found(lived, "--limit", "2")) == 2
    entries = lived("audit", "--format", "json", "--context", "banking").json
    assert found(lived, "--correlation-id", entries[3]["correlation_id"]) == [refused]
    time = entries[2]["time"]
    assert len(found(lived, "--context", "banking", "--since", time)) == 2
    assert len(found(lived, "--context", "banking", "--until", time)) == 3
    assert found(lived, "--since", "2999-01-01") == []
    assert "'sport'" in lived("audit", "--context", "sport", code=1).err
    assert "--resource 'x' is no UUID" in lived("audit", "--resource", "x", code=2).err


def test_all_formats_say_the_same(lived: Program) -> None:
    bank = ("audit", "--context", "banking")
    entries = lived(*bank, "--format", "json").json
    rows = list(csv.DictReader(io.StringIO(lived(*bank, "--format", "csv").out)))
    assert [row["command_id"] for row in rows] == [one["command_id"] for one in entries]
    assert rows[0]["reason"] == "'=new customer", "a spreadsheet shall not take it for a formula"
    assert rows[3]["detail"] == entries[3]["detail"]
    assert json.dumps(entries[3]["reason"]) == '"a yacht"'
    table = lived(*bank).out.splitlines()
    assert table[0].split()[:5] == ["time", "actor", "command", "resource", "result"]
    assert "insufficient_funds  a yacht" in table[4]
    assert len(table) == 5


def test_what_is_left_out_is_said(lived: Program) -> None:
    assert "there are more than 2 entries" in lived("audit", "--limit", "2").err
    assert lived("audit", "--limit", "7").err == ""


def test_who_reads_the_trail_here_is_in_it(lived: Program) -> None:
    lived("audit", "--actor", "alice", "--context", "banking")
    lived("history", "banking.account", ALICE)
    entries = lived("audit", "--context", "identity", "--format", "json").json
    assert entries[0]["actor"].startswith("operator:")
    assert [(one["command"], one["detail"]) for one in entries] == [
        ("identity.ReadTrail", "audit actor=alice context=banking"),
        ("identity.ReadFacts", f"history id={ALICE} kind=banking.account"),
        ("identity.ReadTrail", "audit context=identity"),
    ]
