"""Candidate versions of the code, and the history that they are run over."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening, transfer
from tests.cli.program import Program
from tests.source import COMPILED_NOW, ROOT

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
        shutil.copytree(ROOT / layer, tmp_path / "candidate" / layer, ignore=COMPILED_NOW)
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
