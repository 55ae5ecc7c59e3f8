"""A comment on a post: added by who sees the post, edited by its author, deleted by either's."""

from enum import StrEnum
from uuid import UUID

from domain import Event, Invalid, NotFound, Refused, State
from domain.social.post import NotTheAuthor, Post, may_see
from domain.social.post import Status as PostStatus


class CommentAdded(Event, frozen=True):
    """A member commented on a post."""

    TOPIC = "social.comment.added"
    post_id: UUID
    author: UUID
    text: str


class CommentEdited(Event, frozen=True):
    """The comment's author replaced its text."""

    TOPIC = "social.comment.edited"
    text: str


class CommentDeleted(Event, frozen=True):
    """The comment was taken away by its author or by the post's."""

    TOPIC = "social.comment.deleted"
    post_id: UUID
    by: UUID


class CommentEmpty(Invalid, code="comment_empty"):
    """A comment has no text."""


class CommentExists(Refused, code="comment_exists"):
    """The id chosen for a new comment belongs to another one."""


class CommentNotFound(NotFound, code="comment_not_found"):
    """There is no such comment, or it is below a post that the member does not see."""


class Status(StrEnum):
    """Where a comment is in its life."""

    NEW = "new"
    STANDING = "standing"
    DELETED = "deleted"


class Comment(State, frozen=True):
    """What a comment remembers: its post, its author, its text now and at first."""

    KIND = "social.comment"
    status: Status = Status.NEW
    post_id: UUID | None = None
    author: UUID | None = None
    text: str = ""
    first: str = ""
    """The text it was added with, which tells a repeat from a clash of ids."""

    def add(
        self, author: UUID, text: str, post_id: UUID, post: Post, *, follows: bool
    ) -> list[Event]:
        """Comment on a post that the author of the comment sees."""
        post.require_open(author, follows=follows)
        if self.status is Status.NEW:
            _require_text(text)
            return [CommentAdded(post_id=post_id, author=author, text=text)]
        if (self.post_id, self.author, self.first) != (post_id, author, text):
            raise CommentExists("this id belongs to another comment; choose a new one")
        return []

    def edit(self, by: UUID, text: str, post: Post, *, follows: bool) -> list[Event]:
        """Replace the text; the comment's author alone may, while they see the post."""
        if self.status is not Status.STANDING or not may_see(post, by, follows=follows):
            raise _not_found(by)
        if by != self.author:
            raise NotTheAuthor(f"member {by} did not write this comment; only its author edits it")
        _require_text(text)
        return [] if text == self.text else [CommentEdited(text=text)]

    def delete(self, by: UUID, post: Post, *, follows: bool) -> list[Event]:
        """Take the comment away; its author may, and the post's.

        The comment's author may do so on a post that they see no more.
        """
        post_id = self.require_post(by)
        if post.status is not PostStatus.PUBLISHED:
            raise _not_found(by)
        if by in (self.author, post.author):
            if self.status is Status.DELETED:
                return []
            return [CommentDeleted(post_id=post_id, by=by)]
        if self.status is Status.DELETED or not may_see(post, by, follows=follows):
            raise _not_found(by)
        raise NotTheAuthor(
            f"member {by} wrote neither this comment nor the post; only their authors delete it"
        )

    def require_post(self, by: UUID) -> UUID:
        """Return the post that the comment is below; refuse when there is no such comment."""
        if self.post_id is None:
            raise _not_found(by)
        return self.post_id

    def evolve(self, event: Event) -> "Comment":
        """Take a fact in."""
        match event:
            case CommentAdded(post_id=post_id, author=author, text=text):
                return Comment(
                    status=Status.STANDING, post_id=post_id, author=author, text=text, first=text
                )
            case CommentEdited(text=text):
                return self.replace(text=text)
            case CommentDeleted():
                return self.replace(status=Status.DELETED)
        return self


def _not_found(member: UUID) -> CommentNotFound:
    return CommentNotFound(f"there is no such comment for member {member}; check its id")


def _require_text(text: str) -> None:
    if not text.strip():
        raise CommentEmpty("a comment needs a text; write something")
