"""Comments below their posts."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from domain import Envelope, Event
from domain.social.comment import CommentAdded, CommentDeleted, CommentEdited
from projections import Changes, Listing, count, key, moment, ref, table, text
from projections.social.post import posts, visible_to
from projections.social.profile import profiles

comments = table(
    "comments",
    key(),
    ref("post_id", index=True),
    ref("author_id"),
    text("text"),
    moment("added_at"),
    moment("edited_at", nullable=True),
    count("position"),
    count("version"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep the comments that stand."""
    match fact:
        case CommentAdded(post_id=post, author=author, text=words):
            rows.insert(
                comments,
                id=at.stream,
                post_id=post,
                author_id=author,
                text=words,
                added_at=at.time,
                position=at.position,
                version=at.version,
            )
        case CommentEdited(text=words):
            rows.update(comments, at.stream, text=words, edited_at=at.time, version=at.version)
        case CommentDeleted():
            rows.delete(comments, at.stream)


def comment(comment_id: UUID, viewer: UUID | None) -> Select[Any]:
    """One comment."""
    return _shown_to(viewer).where(comments.c.id == comment_id)


def comments_of(post_id: UUID, viewer: UUID | None) -> Listing:
    """The comments on a post, the oldest first; none to who may not see it."""
    rows = _shown_to(viewer).where(comments.c.post_id == post_id)
    return Listing(rows, by=(comments.c.position,))


def _shown_to(viewer: UUID | None) -> Select[Any]:
    return (
        select(comments, profiles.c.name.label("author"))
        .join(posts, posts.c.id == comments.c.post_id)
        .join(profiles, profiles.c.id == comments.c.author_id)
        .where(visible_to(viewer))
    )
