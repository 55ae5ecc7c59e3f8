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

from tests.source import LAYERS, ROOT
from tests.stores import STORES, Stores

FILES = {
    "domain/library/__init__.py": '"""Books and who has them."""\n',
    "commands/library/__init__.py": '"""What can be done with books."""\n',
    "projections/library/__init__.py": '"""The books as rows."""\n',
    "sagas/library/__init__.py": '"""The loans."""\n',
    "api/library/__init__.py": '"""The routes of the library."""\n',
    "domain/library/book.py": '''
"""A book: on the shelf or lent."""

from uuid import UUID

from domain import Event, Refused, State


class BookLent(Event, frozen=True):
    TOPIC = "library.book.lent"
    reader: UUID


class BookReturned(Event, frozen=True):
    TOPIC = "library.book.returned"
    late: bool = False


class BookAway(Refused, code="book_away"):
    """Somebody else has it."""


class Book(State, frozen=True):
    KIND = "library.book"
    reader: UUID | None = None

    def lend(self, reader: UUID) -> list[Event]:
        if self.reader not in (None, reader):
            raise BookAway("the book is lent; wait until it is back")
        return [] if self.reader else [BookLent(reader=reader)]

    def give_back(self, late: bool) -> list[Event]:
        return [BookReturned(late=late)] if self.reader else []

    def evolve(self, event: Event) -> "Book":
        match event:
            case BookLent(reader=reader):
                return Book(reader=reader)
            case BookReturned():
                return Book()
        return self
''',
    "commands/library/book.py": '''
"""Lending books."""

from uuid import UUID

from commands import Log, Receipt, command, handles
from domain.library.book import Book


@command
class LendBook:
    """Lend a book."""

    book_id: UUID
    reader: UUID


@command
class ReturnBook:
    """Take a book back."""

    book_id: UUID
    late: bool = False


@handles(LendBook)
async def lend_book(c: LendBook, log: Log) -> Receipt:
    return await log.change(Book, c.book_id, lambda b: b.lend(c.reader))


@handles(ReturnBook)
async def return_book(c: ReturnBook, log: Log) -> Receipt:
    return await log.change(Book, c.book_id, lambda b: b.give_back(c.late))
''',
    "sagas/library/book.py": '''
"""A loan ends after a month."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.library.book import ReturnBook
from domain import Event
from domain.library.book import Book, BookLent
from sagas import Deadline, Step, saga


@saga(process=Book, key="book_id")
def react(id: UUID, fact: Event, book: Book) -> Iterable[Step]:
    if isinstance(fact, BookLent):
        yield Deadline("loan", timedelta(days=0), ReturnBook(book_id=id, late=True))
''',
    "projections/library/book.py": '''
"""Books that are lent."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from domain import Envelope, Event
from domain.library.book import BookLent, BookReturned
from projections import Changes, count, key, ref, table

loans = table("loans", key(), ref("reader"), count("version"))


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    match fact:
        case BookLent(reader=reader):
            rows.insert(loans, id=at.stream, reader=reader, version=at.version)
        case BookReturned():
            rows.delete(loans, at.stream)


def loan(book_id: UUID) -> Select[Any]:
    """Who has a book."""
    return select(loans).where(loans.c.id == book_id)
''',
    "api/library/book.py": '''
"""Books over HTTP."""

from api.routes import Routes
from commands.library.book import LendBook, ReturnBook
from projections.library.book import loan

routes = Routes(tags=["library"])
routes.command("/books/{book_id}/lend", LendBook, status=202, location="/books/{book_id}/loan")
routes.command("/books/{book_id}/return", ReturnBook)
routes.query("/books/{book_id}/loan", loan)
''',
}

LIVE = '''
"""Lend a book over HTTP, look, wait for the deadline, look again."""

import asyncio, json, sys
import httpx
from api.http import make_app
from infra.logging import configure
from infra.settings import Settings
from infra.wiring import open_system

async def live(url):
    settings = Settings(database_url=url, development=True, log_level="error")
    configure(settings)
    system = await open_system(settings)
    transport = httpx.ASGITransport(make_app(system))
    member = "a11ce000-0000-7000-8000-000000000001"
    book = "b0000000-0000-7000-8000-000000000001"
    headers = {"Aorist-Actor": member}
    base = "http://t/api/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as c:
        lent = await c.post(f"/books/{book}/lend", json={"reader": member})
        projections = [r for r in system.readers if r.name == "library.book"]
        for reader in projections:
            await reader.step()
        system.queries.local = True
        loan = await c.get(lent.headers["Location"].removeprefix("/api/v1"))
        other = {**headers, "Aorist-Actor": "b0b00000-0000-7000-8000-000000000002"}
        refused = await c.post(f"/books/{book}/lend", json={"reader": book}, headers=other)
        old = await c.post("/profiles", json={"name": "Alice"})
        await system.settle()
        gone = await c.get(f"/books/{book}/loan")
    from infra.rebuild import rebuild
    log = system.logs["library"]
    (projecting,) = [p for p in system.features.projections if p.context == "library"]
    equal = await rebuild(projecting, log.store, system.codec, system.databases["library"])
    facts = [one.at.topic for one in await log.store.read(0, 10)]
    await system.close()
    print(json.dumps({
        "contexts": system.contexts, "lent": lent.status_code, "loan": loan.json(),
        "refused": [refused.status_code, refused.json()["code"]], "old": old.status_code,
        "gone": gone.status_code, "facts": facts, "equal": equal.equal,
    }))

asyncio.run(live(sys.argv[1]))
'''
START = '''
"""Start once for each change of a file, in a fork that has imported nothing of the house."""

import asyncio, json, os, pathlib, sys
import alembic.command, fastapi, psycopg_pool, pydantic_settings, sqlalchemy.ext.asyncio, structlog

async def start(url):
    from api.http import make_app
    from infra.settings import Settings
    from infra.wiring import open_system
    system = await open_system(Settings(database_url=url))
    try:
        make_app(system)
    finally:
        await system.close()

def said(url):
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            asyncio.run(start(url))
            says = "it started"
        except Exception as error:
            says = f"{type(error).__name__}: {error}"
        os.write(write, says.encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with os.fdopen(read) as pipe:
        return pipe.read()

found = {}
for name, (file, was, becomes, _) in json.load(sys.stdin).items():
    path = pathlib.Path(file)
    text = path.read_text()
    if was not in text:
        sys.exit(f"{file} has no {was!r}")
    path.write_text(text.replace(was, becomes))
    found[name] = said(sys.argv[1])
    path.write_text(text)
print(json.dumps(found))
'''


def house_in(folder: Path) -> Path:
    """Copy the source and add a context; nothing that was there is edited."""
    copied = folder / "house"
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, copied / layer, ignore=shutil.ignore_patterns("__pycache__"))
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
