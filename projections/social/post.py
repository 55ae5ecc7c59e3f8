"""Posts with their history and counters, shown to their audience only."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, ColumnElement, Select, Table, and_, or_, select
from sqlalchemy import delete as delete_from

from domain import Envelope, Event
from domain.social.comment import CommentAdded, CommentDeleted
from domain.social.follow import Followed, Unfollowed
from domain.social.like import Liked, Unliked
from domain.social.post import (
    FOLLOWERS,
    PUBLIC,
    Content,
    PostDeleted,
    PostDrafted,
    PostEdited,
    PostPublished,
    Status,
)
from projections import Changes, Listing, count, document, key, moment, ref, table, text
from projections.social.profile import profiles

posts = table(
    "posts",
    key(),
    ref("author_id", index=True),
    text("text"),
    document("media"),
    text("visibility"),
    text("status"),
    count("likes"),
    count("comments"),
    count("revision"),
    moment("drafted_at"),
    moment("published_at", nullable=True),
    moment("edited_at", nullable=True),
    # Where it was drafted, and once it is published, where that happened.
    count("position"),
    count("version"),
)
revisions = table(
    "revisions",
    key("post_id"),
    Column("revision", BigInteger, primary_key=True),
    ref("author_id"),
    text("text"),
    document("media"),
    text("visibility"),
    text("status"),
    moment("written_at"),
)
# The table `follows` says the same, but its reader may be behind this one: a post written after
# somebody was left out must never meet an older list of followers.
audience = table("audience", key("follower_id"), key("author_id"))


def key_of(fact: Event, at: Envelope) -> UUID:
    """Likes and comments are counted in their post's row."""
    match fact:
        case Liked() | Unliked() | CommentAdded() | CommentDeleted():
            return fact.post_id
    return at.stream


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep posts, their revisions, and who follows their authors."""
    match fact:
        case PostDrafted(author=author, content=content):
            rows.insert(
                posts,
                id=at.stream,
                author_id=author,
                status=Status.DRAFT.value,
                revision=1,
                drafted_at=at.time,
                position=at.position,
                version=at.version,
                **_columns(content),
            )
            _keep(rows, at, 1, author, content, Status.DRAFT)
        case PostEdited(author=author, revision=revision, content=content, published=published):
            rows.update(
                posts,
                at.stream,
                revision=revision,
                edited_at=at.time,
                version=at.version,
                **_columns(content),
            )
            status = Status.PUBLISHED if published else Status.DRAFT
            _keep(rows, at, revision, author, content, status)
        case PostPublished(revision=revision):
            rows.update(
                posts,
                at.stream,
                status=Status.PUBLISHED.value,
                published_at=at.time,
                position=at.position,
                version=at.version,
            )
            rows.update(revisions, (at.stream, revision), status=Status.PUBLISHED.value)
        case PostDeleted():
            rows.update(
                posts,
                at.stream,
                status=Status.DELETED.value,
                text="",
                media=[],
                version=at.version,
            )
            rows.run(delete_from(revisions).where(revisions.c.post_id == at.stream))
        case Followed(follower=follower, followee=followee):
            rows.insert(audience, follower_id=follower, author_id=followee)
        case Unfollowed(follower=follower, followee=followee):
            rows.delete(audience, (follower, followee))
        case Liked(post_id=post):
            rows.add(posts, post, likes=1)
        case Unliked(post_id=post):
            rows.add(posts, post, likes=-1)
        case CommentAdded(post_id=post):
            rows.add(posts, post, comments=1)
        case CommentDeleted(post_id=post):
            rows.add(posts, post, comments=-1)


def _keep(
    rows: Changes, at: Envelope, revision: int, author: UUID, content: Content, status: Status
) -> None:
    rows.insert(
        revisions,
        post_id=at.stream,
        revision=revision,
        author_id=author,
        status=status.value,
        written_at=at.time,
        **_columns(content),
    )


def _columns(content: Content) -> dict[str, Any]:
    return {
        "text": content.text,
        "media": list(content.media),
        "visibility": content.visibility,
    }


def visible_to(viewer: UUID | None, row: Table = posts) -> ColumnElement[bool]:
    """`domain.social.post.may_see` in SQL, for a row of `posts` or of `revisions`.

    Every query that shows a post, or anything below one, asks this of the post.
    """
    live = row.c.status == Status.PUBLISHED.value
    public = and_(live, row.c.visibility == PUBLIC)
    if viewer is None:
        return public
    own = and_(row.c.author_id == viewer, row.c.status != Status.DELETED.value)
    follows = (
        select(audience.c.author_id)
        .where(audience.c.follower_id == viewer, audience.c.author_id == row.c.author_id)
        .correlate(row)
        .exists()
    )
    return or_(own, public, and_(live, row.c.visibility == FOLLOWERS, follows))


def shown_to(viewer: UUID | None) -> Select[Any]:
    """All posts that `viewer` may see, with the names of their authors."""
    return (
        select(posts, profiles.c.name.label("author"))
        .join(profiles, profiles.c.id == posts.c.author_id)
        .where(visible_to(viewer))
    )


def post(post_id: UUID, viewer: UUID | None) -> Select[Any]:
    """One post."""
    return shown_to(viewer).where(posts.c.id == post_id)


def posts_of(member_id: UUID, viewer: UUID | None) -> Listing:
    """One author's posts, the latest first; drafts are among them for the author only."""
    rows = shown_to(viewer).where(posts.c.author_id == member_id)
    return Listing(rows, by=(posts.c.position,), descending=True)


def history(post_id: UUID, viewer: UUID | None) -> Listing:
    """A post's revisions, the first one first.

    Of a post that was once a draft, or had a narrower audience, a reader sees the revisions that
    were for them: each was written for the audience it had.
    """
    rows = (
        select(
            revisions.c.revision,
            revisions.c.text,
            revisions.c.media,
            revisions.c.visibility,
            revisions.c.status,
            revisions.c.written_at,
        )
        .join(posts, posts.c.id == revisions.c.post_id)
        .where(
            revisions.c.post_id == post_id,
            visible_to(viewer),
            visible_to(viewer, revisions),
        )
    )
    return Listing(rows, by=(revisions.c.revision,))
