"""Which code can be a candidate, what keeps one from being run, and that it can do no harm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.bank import ALICE, deposit, opening
from tests.cli.candidates import LAYERS, change, copy, dry, lived
from tests.cli.program import Program
from tests.source import ROOT

__all__ = ["copy", "lived"]


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

    before = replay("HEAD~1")
    assert before.returncode == 1
    assert 'now {"kind": "deposit"}, then {"kind": "paid in"}' in before.stdout
    assert "equal    banking.account: 3 rows, 0 differ" in before.stdout
    assert "not compared: what commands of people would decide" in before.stdout
