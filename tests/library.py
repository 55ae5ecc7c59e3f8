"""A context that is added by files only: books, and who has them."""

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

from api.permissions import USERS
from api.routes import Routes
from commands.library.book import LendBook, ReturnBook
from projections.library.book import loan

routes = Routes(tags=["library"])
routes.command("/books/{book_id}/lend", LendBook, status=202, location="/books/{book_id}/loan",
    allow=USERS)
routes.command("/books/{book_id}/return", ReturnBook, allow=USERS)
routes.query("/books/{book_id}/loan", loan, allow=USERS)
''',
}
