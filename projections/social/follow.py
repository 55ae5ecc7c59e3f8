"""Who follows whom, as lists of a profile."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, select

from domain import Envelope, Event
from domain.social.follow import Followed, Unfollowed
from projections import Changes, Listing, count, key, moment, ref, table
from projections.social.profile import profiles

follows = table(
    "follows",
    key(),
    ref("follower_id", index=True),
    ref("followee_id", index=True),
    moment("since"),
    count("position"),
    history=True,
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep a row for each active follow."""
    match fact:
        case Followed(follower=follower, followee=followee):
            rows.insert(
                follows,
                id=at.stream,
                follower_id=follower,
                followee_id=followee,
                since=at.time,
                position=at.position,
            )
        case Unfollowed():
            rows.delete(follows, at.stream)


def followers(member_id: UUID) -> Listing:
    """The members who follow one, the latest first."""
    return _members(shown=follows.c.follower_id, of=follows.c.followee_id, member_id=member_id)


def following(member_id: UUID) -> Listing:
    """The members whom one follows, the latest first."""
    return _members(shown=follows.c.followee_id, of=follows.c.follower_id, member_id=member_id)


def _members(shown: Column[Any], of: Column[Any], member_id: UUID) -> Listing:
    rows = (
        select(shown.label("member_id"), profiles.c.name, follows.c.since, follows.c.position)
        .join(profiles, profiles.c.id == shown)
        .where(of == member_id)
    )
    return Listing(rows, by=(follows.c.position,), descending=True)
