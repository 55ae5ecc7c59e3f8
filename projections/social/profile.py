"""Profiles with their counters."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from domain import Envelope, Event
from domain.social.follow import Followed, Unfollowed
from domain.social.post import PostDeleted, PostPublished
from domain.social.profile import ProfileCreated
from projections import Changes, cached, count, key, moment, table, text

profiles = table(
    "profiles",
    key(),
    text("name"),
    text("bio"),
    count("followers"),
    count("following"),
    count("posts"),
    moment("joined_at"),
    count("version"),
    history=True,
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Count active follows, and posts that are published and not deleted."""
    match fact:
        case ProfileCreated(name=name, bio=bio):
            rows.insert(
                profiles, id=at.stream, name=name, bio=bio, joined_at=at.time, version=at.version
            )
        case Followed(follower=follower, followee=followee):
            rows.add(profiles, follower, following=1)
            rows.add(profiles, followee, followers=1)
        case Unfollowed(follower=follower, followee=followee):
            rows.add(profiles, follower, following=-1)
            rows.add(profiles, followee, followers=-1)
        case PostPublished(author=author):
            rows.add(profiles, author, posts=1)
        case PostDeleted(author=author, published=True):
            rows.add(profiles, author, posts=-1)


@cached
def profile(member_id: UUID) -> Select[Any]:
    """One member's profile."""
    return select(profiles).where(profiles.c.id == member_id)
