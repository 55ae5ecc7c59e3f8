"""`aorist check`: what must hold is checked, and what does not is named."""

import pytest

from domain.banking.account import Account
from infra.discovery import discover
from infra.shapes import shapes_of
from tests.cli.bank import ALICE, BOB, deposit, opening, withdrawal
from tests.cli.program import Program


def lived(program: Program) -> Program:
    lines = [opening(ALICE), opening(BOB), deposit(1), deposit(2), withdrawal(3, 10**6)]
    program("run", program.file(*lines), "--concurrency", "1")
    return program


def failing(program: Program) -> list[str]:
    """Check the bank, which must fail, and return what is said of what fails."""
    lines = program("check", "--context", "banking", code=1).out.splitlines()
    assert lines[-1] == "something does not hold; see FAIL above"
    return [line.strip() for line in lines if not line.startswith("ok") and line != lines[-1]]


def test_a_sound_system_is_said_to_be_so_with_counts(aorist: Program) -> None:
    said = lived(aorist)("check").out
    assert "ok    banking: positions and versions have no gaps (8 facts on 5 streams)" in said
    assert "ok    banking: receipts and facts name each other (5 receipts)" in said
    assert "ok    banking: snapshots equal the folded streams (0 snapshots)" in said
    assert "ok    banking: money is conserved" in said
    assert "ok    commerce: stock is never negative" in said
    assert (
        "ok    banking: read model banking.account equals a rebuild (6 rows at position 8)" in said
    )
    assert said.endswith("everything holds\n")


def snapshot(version: int, data: str) -> str:
    """The statement that puts a snapshot of an account there, as this code would find it."""
    topic = shapes_of([Account], discover().facts)[Account].topic.replace(".", "' || '.")
    return (
        "INSERT INTO banking.snapshots (stream, topic, version, data)"
        f" VALUES ('{ALICE}', '{topic}', {version}, '{data}')"
    )


TAMPERED = {
    "a fact is gone": (
        "DELETE FROM banking.events WHERE position = 5",
        "position 5 is missing before 6",
    ),
    "a version is skipped": (
        "UPDATE banking.events SET version = 9 WHERE position = 7",
        "goes on with version 9, not 3",
    ),
    "the end is gone": (
        "DELETE FROM banking.events WHERE position > 6",
        "the log ends at position 6, its head says 8",
    ),
    "a receipt is gone": (
        "DELETE FROM banking.receipts WHERE position = 6",
        "position 5 (banking.account.money_deposited) has no receipt",
    ),
    "a receipt names facts that are not there": (
        "UPDATE banking.receipts SET facts = 3 WHERE position = 8",
        "has 3 facts up to position 8 by its receipt, 2 in the log",
    ),
    "a fact is of another command": (
        "UPDATE banking.events SET command_id = stream WHERE position = 8",
        "position 8 is of command",
    ),
    "the index of streams has a fact that is not there": (
        f"INSERT INTO banking.streams VALUES ('{ALICE}', 9, 99)",
        f"position 99, version 9 of stream {ALICE}, is in one of them only",
    ),
    "a fact cannot be read": (
        "UPDATE banking.events SET data = '{}' WHERE position = 1",
        "its data is no banking.account.opened",
    ),
    "a snapshot is of other facts": (
        snapshot(2, '{"status":"frozen"}'),
        "snapshot of banking.account a11ce000-0000-4000-8000-000000000001 at version 2 differs",
    ),
    "a snapshot cannot be read": (
        snapshot(1, '{"status":"melted"}'),
        "at version 1 cannot be read: Invalid enum value 'melted'",
    ),
    "a snapshot is ahead of its stream": (
        snapshot(99, "{}"),
        "at version 99 is ahead of its stream, which ends at version",
    ),
    "an amount was changed": (
        "UPDATE banking.events SET data = replace(data, '100', '900') WHERE position = 7",
        "FAIL  banking: money is conserved",
    ),
    "a row of a read model was changed": (
        "UPDATE banking.accounts SET balance = balance + 1 WHERE balance = 200",
        "balance: live 201, rebuilt 200",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_tampered_with_is_named(embedded: Program, what: str) -> None:
    statement, named = TAMPERED[what]
    lived(embedded).sql(statement)
    said = failing(embedded)
    assert any(named in line for line in said), said


def test_what_was_tampered_with_is_named_on_any_store(aorist: Program) -> None:
    lived(aorist).sql("DELETE FROM banking.events WHERE position = 5")
    assert "position 5 is missing before 6" in failing(aorist)


def test_snapshots_are_counted_and_those_of_other_code_left_alone(aorist: Program) -> None:
    program = lived(aorist)
    account = '{"status":"open","holder_id":"%s","kind":"checking","funds":{"currency":"EUR"}}'
    program.sql(snapshot(1, account % ALICE))
    program.sql(snapshot(1, "{}").replace("account@", "account@0"))
    said = program("check", "--context", "banking").out
    assert "banking: snapshots equal the folded streams (1 snapshots, 1 of other code)" in said
