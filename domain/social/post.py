"""A post: drafted, published, edited with its history kept, deleted; and who may see it."""

from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from domain import Event, Forbidden, Invalid, NotFound, Refused, State

PUBLIC: Literal["public"] = "public"
"""Everybody sees it, known or not."""
FOLLOWERS: Literal["followers"] = "followers"
"""The author's followers see it."""
PRIVATE: Literal["private"] = "private"
"""The author alone sees it."""


class Content(msgspec.Struct, frozen=True):
    """What a post says and to whom: a text, references to media, an audience."""

    text: str
    media: tuple[str, ...] = ()
    visibility: str = PUBLIC


class PostDrafted(Event, frozen=True):
    """An author wrote the first revision of a post."""

    TOPIC = "social.post.drafted"
    author: UUID
    content: Content


class PostPublished(Event, frozen=True):
    """The author showed the post, at the given revision, to its audience."""

    TOPIC = "social.post.published"
    author: UUID
    revision: int


class PostEdited(Event, frozen=True):
    """The author replaced the content; the revisions before it stay in the history."""

    TOPIC = "social.post.edited"
    author: UUID
    revision: int
    content: Content
    published: bool
    """Whether this revision went to the audience at once, or is a draft still."""


class PostDeleted(Event, frozen=True):
    """The author took the post away for good."""

    TOPIC = "social.post.deleted"
    author: UUID
    published: bool
    """Whether it was published until then."""


class PostEmpty(Invalid, code="post_empty"):
    """A post has neither text nor media."""


class PostExists(Refused, code="post_exists"):
    """The id chosen for a new post belongs to another one."""


class PostNotFound(NotFound, code="post_not_found"):
    """There is no such post, or the member is outside its audience; which one is private."""


class PostUnpublished(Refused, code="post_unpublished"):
    """A draft is neither liked nor commented on, not even by its author."""


class NotTheAuthor(Forbidden, code="not_the_author"):
    """The member sees what they would change, but somebody else wrote it."""


class Status(StrEnum):
    """Where a post is in its life."""

    NEW = "new"
    DRAFT = "draft"
    PUBLISHED = "published"
    DELETED = "deleted"


class Post(State, frozen=True):
    """What a post remembers: its author, its content now and at first, its status."""

    KIND = "social.post"
    status: Status = Status.NEW
    author: UUID | None = None
    content: Content = Content(text="")
    first: Content = Content(text="")
    """The content it was created with, which tells a repeated creation from a clash of ids."""
    revision: int = 0

    def create(self, author: UUID, content: Content, *, publish: bool) -> list[Event]:
        """Draft the post, and publish it at once when asked to."""
        drafted = self._draft(author, content)
        if not publish or self.status is Status.DELETED:
            return drafted
        return drafted + self.fold(drafted).publish(author)

    def _draft(self, author: UUID, content: Content) -> list[Event]:
        if self.status is Status.NEW:
            _require_substance(content)
            return [PostDrafted(author=author, content=content)]
        if (self.author, self.first) != (author, content):
            raise PostExists("this id belongs to another post; choose a new one")
        return []

    def publish(self, by: UUID, *, follows: bool = False) -> list[Event]:
        """Show the post to its audience."""
        self._require_author(by, follows)
        if self.status is Status.PUBLISHED:
            return []
        return [PostPublished(author=by, revision=self.revision)]

    def edit(
        self,
        by: UUID,
        *,
        text: str | None = None,
        media: tuple[str, ...] | None = None,
        visibility: str | None = None,
        follows: bool = False,
    ) -> list[Event]:
        """Replace what is given of the content, audience included; None keeps what is there."""
        self._require_author(by, follows)
        content = Content(
            text=self.content.text if text is None else text,
            media=self.content.media if media is None else media,
            visibility=self.content.visibility if visibility is None else visibility,
        )
        _require_substance(content)
        if content == self.content:
            return []
        return [
            PostEdited(
                author=by,
                revision=self.revision + 1,
                content=content,
                published=self.status is Status.PUBLISHED,
            )
        ]

    def delete(self, by: UUID, *, follows: bool = False) -> list[Event]:
        """Take the post away for good."""
        if self.status is Status.DELETED and by == self.author:
            return []
        self._require_author(by, follows)
        return [PostDeleted(author=by, published=self.status is Status.PUBLISHED)]

    def require_sight(self, viewer: UUID, *, follows: bool) -> None:
        """Refuse a viewer outside the audience, in the same words as for a post that is not."""
        if not may_see(self, viewer, follows=follows):
            raise PostNotFound(f"there is no such post for member {viewer}; check its id")

    def require_open(self, viewer: UUID, *, follows: bool) -> None:
        """Refuse whoever would like or comment on what they do not see or is not published."""
        self.require_sight(viewer, follows=follows)
        if self.status is Status.DRAFT:
            raise PostUnpublished("this post is a draft; publish it first")

    def _require_author(self, by: UUID, follows: bool) -> None:
        self.require_sight(by, follows=follows)
        if by != self.author:
            raise NotTheAuthor(f"member {by} did not write this post; only its author changes it")

    def evolve(self, event: Event) -> "Post":
        """Take a fact in."""
        match event:
            case PostDrafted(author=author, content=content):
                return Post(
                    status=Status.DRAFT, author=author, content=content, first=content, revision=1
                )
            case PostPublished():
                return self.replace(status=Status.PUBLISHED)
            case PostEdited(revision=revision, content=content):
                return self.replace(content=content, revision=revision)
            case PostDeleted():
                return self.replace(status=Status.DELETED)
        return self


def may_see(post: Post, viewer: UUID | None, *, follows: bool) -> bool:
    """Tell whether `viewer` (None: nobody known) is in the audience; `follows`: its author.

    The one place of this rule; `projections.social.post.visible_to` says the same in SQL.
    """
    if post.status not in (Status.DRAFT, Status.PUBLISHED):
        return False
    if viewer is not None and viewer == post.author:
        return True
    if post.status is Status.DRAFT:
        return False
    match post.content.visibility:
        case "public":
            return True
        case "followers":
            return viewer is not None and follows
    return False


def _require_substance(content: Content) -> None:
    if not content.text.strip() and not content.media:
        raise PostEmpty("a post needs a text or media; write something")
