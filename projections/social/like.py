"""Who likes a post."""

from uuid import UUID

from sqlalchemy import select

from domain import Envelope, Event
from domain.social.like import Liked, Unliked
from projections import Changes, Listing, count, key, moment, ref, table
from projections.social.post import posts, visible_to
from projections.social.profile import profiles

likes = table(
    "likes",
    key(),
    ref("post_id", index=True),
    ref("member_id"),
    moment("since"),
    count("position"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep a row for each active like."""
    match fact:
        case Liked(member_id=member, post_id=post):
            rows.insert(
                likes,
                id=at.stream,
                post_id=post,
                member_id=member,
                since=at.time,
                position=at.position,
            )
        case Unliked():
            rows.delete(likes, at.stream)


def likes_of(post_id: UUID, viewer: UUID | None) -> Listing:
    """The members who like a post, the latest first; none to who may not see it."""
    rows = (
        select(likes.c.member_id, profiles.c.name, likes.c.since, likes.c.position)
        .join(posts, posts.c.id == likes.c.post_id)
        .join(profiles, profiles.c.id == likes.c.member_id)
        .where(likes.c.post_id == post_id, visible_to(viewer))
    )
    return Listing(rows, by=(likes.c.position,), descending=True)
