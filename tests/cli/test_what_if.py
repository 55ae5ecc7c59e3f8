"""`aorist replay --dry-run`: other code over the real log, without any effect."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening, transfer
from tests.cli.program import Program
from tests.source import ROOT

LAYERS = ("domain", "commands", "projections", "sagas")
PAID = "7a000000-0000-4000-8000-000000000001"
UNPAID = "7a000000-0000-4000-8000-000000000002"


def history(program: Program) -> Program:
    program("run", program.file(opening(ALICE), opening(BOB), deposit(1)), "--concurrency", "1")
    program("run", program.file(transfer(PAID, 40), transfer(UNPAID, 4_000)), "--concurrency", "1")
    return program


@pytest.fixture
def lived(aorist: Program) -> Program:
    return history(aorist)


@pytest.fixture
def small(embedded: Program) -> Program:
    """The same where the store makes no difference."""
    return history(embedded)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout with the same code."""
    for layer in LAYERS:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / layer, tmp_path / "candidate" / layer, ignore=ignore)
    return tmp_path / "candidate"


def change(copy: Path, file: str, before: str, after: str) -> None:
    text = (copy / file).read_text()
    assert before in text
    (copy / file).write_text(text.replace(before, after))


def digests(program: Program) -> dict[str, str]:
    """Digest every table of the store."""
    if program.url.startswith("sqlite"):
        tables = program.sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        queries = {name: f'SELECT * FROM "{name}"' for (name,) in tables}
    else:
        tables = program.sql(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        queries = {f"{s}.{name}": f'SELECT t::text FROM "{s}"."{name}" t' for s, name in tables}
    assert len(queries) > 20
    return {
        name: hashlib.sha256("".join(sorted(map(repr, program.sql(query)))).encode()).hexdigest()
        for name, query in queries.items()
    }


def dry(program: Program, code: object, *words: str, code_: int = 1) -> Any:
    before = digests(program)
    found = program("replay", "--dry-run", "--code", code, "--json", *words, code=code_).json
    assert digests(program) == before, "nothing of the database changes"
    return found


def part(found: Any, kind: str, name: str) -> Any:
    return next(one for one in found[kind] if one["name"] == name)


def differing(found: Any) -> dict[str, int]:
    return {
        one["name"]: one["differing"]
        for kind in ("projections", "states", "sagas", "faults")
        for one in found[kind]
        if one["differing"]
    }


def test_the_same_code_would_do_the_same(lived: Program, copy: Path) -> None:
    found = dry(lived, copy, code_=0)
    assert found["equal"]
    assert part(found, "projections", "banking.account")["compared"] > 2
    assert part(found, "states", "banking.transfer")["compared"] == 2
    assert part(found, "sagas", "banking.transfer")["compared"] > 10
    assert found["positions"]["banking"] > 10
    said = lived("replay", "--dry-run", "--code", copy).out
    assert "equal    banking.transfer: 2 rows, 0 differ" in said
    assert "not compared: what commands would decide" in said
    assert said.endswith("nothing would differ\n")


def test_a_changed_projection_changes_rows(lived: Program, copy: Path) -> None:
    before = '_line("deposit", fact.deposit_id, fact.amount, fact.source)'
    after = before.replace("fact.amount", "fact.amount + 1").replace('"deposit"', '"paid in"')
    change(copy, "projections/banking/statement.py", before, after)
    found = dry(lived, copy)
    assert differing(found) == {"banking.statement": 1}
    (one,) = part(found, "projections", "banking.statement")["differences"]
    assert one["what"].startswith("row banking.statement_lines ")
    assert one["now"] == {"kind": "deposit", "amount": 100}
    assert one["then"] == {"kind": "paid in", "amount": 101}


def test_a_changed_table_is_told_with_its_columns(small: Program, copy: Path) -> None:
    file = "projections/banking/statement.py"
    change(copy, file, '    money("balance"),', '    money("balance"),\n    money("fee"),')
    found = dry(small, copy, "banking.statement")
    (one,) = part(found, "projections", "banking.statement")["differences"]
    assert one["what"] == "columns of banking.statement_lines"
    assert set(one["then"]) - set(one["now"]) == {"fee"}
    assert (found["states"], found["sagas"]) == ([], []), "only what was named is looked at"


def test_a_changed_saga_sends_other_commands_and_sends_none(lived: Program, copy: Path) -> None:
    file = "sagas/banking/transfer.py"
    change(
        copy,
        file,
        "                amount=transfer.amount,\n                currency=transfer.currency,\n"
        "            )\n        case AccountCredited():",
        "                amount=transfer.amount - 1,\n                currency=transfer.currency,\n"
        "            )\n        case AccountCredited():",
    )
    settles = "yield SettleDebit(account_id=transfer.source, transfer_id=id)"
    change(copy, file, settles, "yield TimeOutTransfer(transfer_id=id)")
    found = dry(lived, copy)
    assert differing(found) == {"banking.transfer": 3}
    differences = part(found, "sagas", "banking.transfer")["differences"]
    named = {one["what"].split()[1]: one for one in differences}
    credit = named["banking.CreditAccount"]
    assert (credit["now"]["amount"], credit["then"]["amount"]) == (40, 39)
    assert credit["happened"] == "it was sent and accepted"
    assert PAID in credit["what"]
    assert (named["banking.SettleDebit"]["then"], named["banking.TimeOutTransfer"]["now"]) == (
        None,
        None,
    )
    assert named["banking.SettleDebit"]["happened"] == "it was sent and accepted"


def test_a_changed_deadline_is_told(small: Program, copy: Path) -> None:
    change(copy, "sagas/banking/transfer.py", "SCREENED_WITHIN = timedelta(hours=1)",
           "SCREENED_WITHIN = timedelta(hours=2)")  # fmt: skip
    found = dry(small, copy)
    differences = part(found, "sagas", "banking.transfer")["differences"]
    assert {(one["now"]["after_s"], one["then"]["after_s"]) for one in differences} == {
        (3600, 7200)
    }


def test_a_changed_evolve_changes_states_and_what_sagas_make_of_them(
    lived: Program, copy: Path
) -> None:
    change(
        copy,
        "domain/banking/transfer.py",
        "                    amount=event.amount,",
        "                    amount=event.amount + 1,",
    )
    found = dry(lived, copy)
    states = part(found, "states", "banking.transfer")
    assert states["differing"] == 2
    by_stream = {one["what"]: (one["now"], one["then"]) for one in states["differences"]}
    assert by_stream[f"stream {PAID}"] == ({"amount": 40}, {"amount": 41})
    sagas = part(found, "sagas", "banking.transfer")["differences"]
    assert "banking.DebitAccount" in {one["what"].split()[1] for one in sagas}


def test_what_a_candidate_fails_with_is_told_with_its_place(small: Program, copy: Path) -> None:
    change(
        copy,
        "projections/banking/account.py",
        "    match fact:\n",
        "    if at.position == 5:\n        raise RuntimeError('no fives')\n    match fact:\n",
    )
    found = dry(small, copy)
    (one,) = found["faults"][0]["differences"]
    assert one["what"] == "projection banking.account"
    assert (one["now"], one["then"]) == (None, "position 5: RuntimeError: no fives")


BROKEN = {
    "the kernel": ("domain/__init__.py", "class Event(", "class Event((", "SyntaxError"),
    "syntax": ("sagas/banking/transfer.py", "def react(", "def def react(", "SyntaxError"),
    "a name that is not there": (
        "projections/banking/account.py",
        "from domain.banking.account import ",
        "from domain.banking.account import Vanished\nfrom domain.banking.account import ",
        "ImportError",
    ),
    "a topic twice": (
        "domain/banking/posting.py",
        'TOPIC = "banking.account.money_withdrawn"',
        'TOPIC = "banking.account.money_deposited"',
        "Misbuilt",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_candidate_that_cannot_be_loaded_is_a_sentence(
    embedded: Program, copy: Path, what: str
) -> None:
    file, before, after, named = BROKEN[what]
    change(copy, file, before, after)
    said = embedded("replay", "--dry-run", "--code", copy, code=1).err
    assert f"aorist: the candidate: it cannot be loaded: {named}" in said
    assert "Traceback" not in said


def test_the_database_itself_refuses_a_candidate_that_writes(lived: Program, copy: Path) -> None:
    """It opens the store as the program would, and is refused by the store."""
    change(
        copy,
        "projections/banking/account.py",
        "    match fact:\n",
        "    import gc, asyncio, threading\n"
        "    from infra.log.sqlite import SQLiteStore\n"
        "    from infra.log.postgres import PostgresStore\n"
        "    for one in gc.get_objects():\n"
        "        if isinstance(one, SQLiteStore):\n"
        "            one._database.connect().execute('DELETE FROM banking_events')\n"
        "        if isinstance(one, PostgresStore):\n"
        "            import psycopg\n"
        "            with psycopg.connect(one._pool.conninfo) as c:\n"
        "                c.execute('DELETE FROM banking.events')\n"
        "    match fact:\n",
    )
    found = dry(lived, copy)
    (one,) = found["faults"][0]["differences"]
    assert "readonly" in one["then"] or "read-only" in one["then"], one


def test_neither_a_folder_nor_a_revision_is_said_so(embedded: Program, tmp_path: Path) -> None:
    said = embedded("replay", "--dry-run", "--code", "no-such-thing", code=1).err
    assert "no-such-thing is no folder, and no revision of the checkout in" in said
    said = embedded("replay", "--dry-run", "--code", tmp_path, code=1).err
    assert "is no checkout: it has no folder domain, commands, projections, sagas" in said
    assert "go together" in embedded("replay", "--dry-run", code=2).err
    assert "go together" in embedded("replay", "--code", "HEAD", code=2).err
    assert "changes nothing" in embedded(
        "replay", "--dry-run", "--code", "HEAD", "--accept", code=2
    ).err  # fmt: skip


def git(checkout: Path, *words: str) -> None:
    person = ["-c", "user.name=Olga", "-c", "user.email=olga@example.org"]
    subprocess.run(["git", "-C", checkout, *person, *words], check=True, capture_output=True)


def test_a_revision_of_the_running_checkout_is_run(all_stores: Any, tmp_path: Path) -> None:
    """In a checkout of its own, whose last commit changes a projection back."""
    checkout = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    for layer in (*LAYERS, "infra", "api"):
        shutil.copytree(ROOT / layer, checkout / layer, ignore=ignore)
    file = "projections/banking/statement.py"
    git(tmp_path, "init", "-q", str(checkout))
    change(checkout, file, '_line("deposit"', '_line("paid in"')
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Before")
    change(checkout, file, '_line("paid in"', '_line("deposit"')
    git(checkout, "commit", "-qam", "After")
    program = Program(all_stores.settings("sqlite").database_url, tmp_path)
    program("run", program.file(opening(ALICE), deposit(1)), "--concurrency", "1")
    environment = {n: v for n, v in os.environ.items() if not n.startswith("AORIST_")}

    def replay(revision: str) -> subprocess.CompletedProcess[str]:
        words = ["--database-url", program.url, "replay", "--dry-run", "--code", revision]
        return subprocess.run(
            [sys.executable, "-m", "api", *words],
            cwd=checkout,
            env={**environment, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    same, before = replay("HEAD"), replay("HEAD~1")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "nothing would differ")
    assert before.returncode == 1
    assert 'now {"kind": "deposit"}, then {"kind": "paid in"}' in before.stdout
    git(checkout, "status", "--porcelain")
