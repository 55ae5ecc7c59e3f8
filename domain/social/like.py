"""Liking a post: one stream for each member and post, on or off."""

from uuid import UUID, uuid5

from domain import Event, State
from domain.social.post import Post, Status

LIKES = UUID("46be22b6-0e40-45b5-a76c-102db45392cf")
"""The namespace of the streams of likes."""


def like_id(member: UUID, post: UUID) -> UUID:
    """Return the stream on which `member` likes and unlikes `post`."""
    return uuid5(LIKES, f"{member}:{post}")


class Liked(Event, frozen=True):
    """A member began to like a post."""

    TOPIC = "social.like.liked"
    member_id: UUID
    post_id: UUID


class Unliked(Event, frozen=True):
    """A member took a like back."""

    TOPIC = "social.like.unliked"
    member_id: UUID
    post_id: UUID


class Like(State, frozen=True):
    """Whether a member likes a post now."""

    KIND = "social.like"
    active: bool = False

    def like(self, member: UUID, post_id: UUID, post: Post, *, follows: bool) -> list[Event]:
        """Like a post that the member sees; twice is once."""
        post.require_open(member, follows=follows)
        return [] if self.active else [Liked(member_id=member, post_id=post_id)]

    def unlike(self, member: UUID, post_id: UUID, post: Post, *, follows: bool) -> list[Event]:
        """Take the like back; nothing happens when there is none.

        A like may be taken back from a post that its member sees no more.
        """
        if self.active and post.status is Status.PUBLISHED:
            return [Unliked(member_id=member, post_id=post_id)]
        post.require_open(member, follows=follows)
        return []

    def evolve(self, event: Event) -> "Like":
        """Take a fact in."""
        match event:
            case Liked():
                return Like(active=True)
            case Unliked():
                return Like(active=False)
        return self
