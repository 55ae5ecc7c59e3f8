"""The people and posts that the tests of the network speak of."""

from uuid import UUID

from commands import Caller
from domain import Event
from domain.social.post import PRIVATE, Content, PostDeleted, PostDrafted, PostEdited, PostPublished
from domain.social.profile import ProfileCreated

ALICE = UUID("a11ce000-0000-4000-8000-000000000001")
BOB = UUID("b0b00000-0000-4000-8000-000000000002")
CAROL = UUID("ca401000-0000-4000-8000-000000000003")
DAVE = UUID("da7e0000-0000-4000-8000-000000000004")
POST = UUID("90570000-0000-4000-8000-000000000001")
OTHER_POST = UUID("90570000-0000-4000-8000-000000000002")
COMMENT = UUID("c0333e47-0000-4000-8000-000000000001")

alice = Caller(actor=str(ALICE))
bob = Caller(actor=str(BOB))
carol = Caller(actor=str(CAROL))
dave = Caller(actor=str(DAVE))
service = Caller(actor="job:import")

hello = Content(text="Hello")
JOINED: dict[UUID, list[Event]] = {
    ALICE: [ProfileCreated(name="Alice")],
    BOB: [ProfileCreated(name="Bob")],
    CAROL: [ProfileCreated(name="Carol")],
}
"""Alice, Bob and Carol have profiles; Dave has none."""


def drafted(content: Content = hello, author: UUID = ALICE) -> PostDrafted:
    return PostDrafted(author=author, content=content)


def published(revision: int = 1, author: UUID = ALICE) -> PostPublished:
    return PostPublished(author=author, revision=revision)


def edited(revision: int, content: Content, *, live: bool) -> PostEdited:
    return PostEdited(author=ALICE, revision=revision, content=content, published=live)


def deleted(*, live: bool) -> PostDeleted:
    return PostDeleted(author=ALICE, published=live)


hidden = Content(text="Hello", visibility=PRIVATE)
