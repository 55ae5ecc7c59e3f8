"""A new context is added by adding files only, and a gap in it fails the start with a sentence."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.library import FILES
from tests.library_programs import LIVE, START
from tests.source import COMPILED_NOW, LAYERS, ROOT
from tests.stores import STORES, Stores


def house_in(folder: Path) -> Path:
    """Copy the source and add a context; nothing that was there is edited."""
    copied = folder / "house"
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, copied / layer, ignore=COMPILED_NOW)
    for name, text in FILES.items():
        path = copied / name
        assert not path.exists()
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.lstrip())
    return copied


def run(house: Path, program: str, url: str, given: object = None) -> Any:
    """Run a program in the house; return what it prints."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AORIST_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, url],
        cwd=house,
        env={**environment, "PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("store", STORES)
def test_a_context_of_new_files_runs_from_command_to_read_model(
    all_stores: Stores, tmp_path: Path, store: str
) -> None:
    found = run(house_in(tmp_path), LIVE, all_stores.settings(store).database_url)
    assert {"library", "social"} <= set(found["contexts"])
    assert (found["lent"], found["old"], found["gone"]) == (202, 201, 404)
    assert found["loan"]["reader"] == "a11ce000-0000-7000-8000-000000000001"
    assert found["refused"] == [409, "book_away"]
    assert found["facts"] == ["library.book.lent", "library.book.returned"]
    assert found["equal"]


MISBUILT: dict[str, tuple[str, str, str, str]] = {
    "a topic that is taken": (
        "domain/library/book.py",
        'TOPIC = "library.book.returned"',
        'TOPIC = "library.book.lent"',
        r"topic 'library\.book\.lent' is used by \S+BookLent and \S+BookReturned",
    ),
    "a fact without a topic": (
        "domain/library/book.py",
        'TOPIC = "library.book.returned"',
        "pass",
        r"BookReturned needs a TOPIC that begins with 'library\.'",
    ),
    "a topic of another context": (
        "domain/library/book.py",
        'TOPIC = "library.book.returned"',
        'TOPIC = "social.book.returned"',
        r"BookReturned needs a TOPIC that begins with 'library\.'",
    ),
    "a state without a kind": (
        "domain/library/book.py",
        'KIND = "library.book"',
        "pass",
        r"Book needs a KIND of its own",
    ),
    "a refusal without a code": (
        "domain/library/book.py",
        'BookAway(Refused, code="book_away")',
        "BookAway(Refused)",
        r"BookAway needs a code of its own",
    ),
    "a command without a handler": (
        "commands/library/book.py",
        "@handles(ReturnBook)\n",
        "",
        r"ReturnBook has no handler; write one with @handles",
    ),
    "two handlers of a command": (
        "commands/library/book.py",
        "@handles(ReturnBook)",
        "@handles(LendBook)",
        r"LendBook has two handlers",
    ),
    "a handler that is not async": (
        "commands/library/book.py",
        "async def return_book(c: ReturnBook, log: Log) -> Receipt:\n    return await",
        "def return_book(c: ReturnBook, log: Log) -> Receipt:\n    return",
        r"the handler of ReturnBook must be `async def`",
    ),
    "a handler without the log": (
        "commands/library/book.py",
        "async def return_book(c: ReturnBook, log: Log) -> Receipt:\n    return await",
        "async def return_book(c: ReturnBook) -> Receipt:\n    log: Log\n    return await",
        r"return_book must take the Log",
    ),
    "a port that nobody provides": (
        "commands/library/book.py",
        "async def return_book(c: ReturnBook, log: Log)",
        "async def return_book(c: ReturnBook, log: Log, post: UUID)",
        r"return_book asks for uuid\.UUID; wiring has none",
    ),
    "a projection without a table": (
        "projections/library/book.py",
        'loans = table("loans", key(), ref("reader"), count("version"))',
        "from projections.social.profile import profiles as loans",
        r"projections\.library\.book has project\(\) and no table",
    ),
    "a table without a projection": (
        "projections/library/book.py",
        "def project(",
        "def projekt(",
        r"projections\.library\.book has tables and no project\(\)",
    ),
    "a saga file without a saga": (
        "sagas/library/book.py",
        '@saga(process=Book, key="book_id")\n',
        "",
        r"sagas\.library\.book must have one @saga, it has 0",
    ),
    "a saga that follows nothing real": (
        "sagas/library/book.py",
        'key="book_id")',
        'key="book_id", follows=("library", "nowhere"))',
        r"library\.book follows 'nowhere', which is no context",
    ),
    "an API file without routes": (
        "api/library/book.py",
        "\nroutes",
        "\nways",
        r"api/library/book\.py needs `routes = Routes\(…\)`",
    ),
    "a path that the command has no field for": (
        "api/library/book.py",
        "/books/{book_id}/return",
        "/books/{isbn}/return",
        r"/books/\{isbn\}/return: ReturnBook has no field 'isbn'",
    ),
    "a route that anybody could call": (
        "api/library/book.py",
        "ReturnBook, allow=USERS)",
        "ReturnBook)",
        r"POST /api/v1/books/\{book_id\}/return says not who may call it; declare it by allow=…",
    ),
    "a location that nothing answers": (
        "api/library/book.py",
        'location="/books/{book_id}/loan"',
        'location="/loans/{id}"',
        r"its Location /api/v1/loans/\{id\} is no query; name one by location=",
    ),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the start says, for each gap."""
    folder = tmp_path_factory.mktemp("gaps")
    found: dict[str, str] = run(house_in(folder), START, f"sqlite:///{folder}/x.db", MISBUILT)
    return found


@pytest.mark.parametrize("gap", MISBUILT)
def test_a_gap_fails_the_start_with_a_sentence(said: dict[str, str], gap: str) -> None:
    assert re.search(MISBUILT[gap][3], said[gap]), said[gap]


def test_a_context_without_a_domain_is_not_passed_over(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    for layer in ("domain", "sagas", "projections", "api"):
        shutil.rmtree(house / layer / "library")
    nothing = {
        "x": ("commands/library/book.py", FILES["commands/library/book.py"].lstrip(), "", "")
    }
    found = run(house, START, f"sqlite:///{tmp_path}/x.db", nothing)
    assert "commands/library has no domain/library; " in found["x"]
