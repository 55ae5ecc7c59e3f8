"""Following: one stream for each pair of members, on or off."""

from uuid import UUID, uuid5

from domain import Event, Invalid, State

FOLLOWS = UUID("cf457d81-73ac-4998-baa6-887bc6d7add7")
"""The namespace of the streams of follows."""


def follow_id(follower: UUID, followee: UUID) -> UUID:
    """Return the stream on which `follower` follows and unfollows `followee`."""
    return uuid5(FOLLOWS, f"{follower}:{followee}")


class Followed(Event, frozen=True):
    """One member began to follow another."""

    TOPIC = "social.follow.followed"
    follower: UUID
    followee: UUID


class Unfollowed(Event, frozen=True):
    """One member ceased to follow another."""

    TOPIC = "social.follow.unfollowed"
    follower: UUID
    followee: UUID


class FollowSelf(Invalid, code="follow_self"):
    """Nobody follows themselves."""


class Follow(State, frozen=True):
    """Whether one member follows another now."""

    KIND = "social.follow"
    active: bool = False

    def follow(self, follower: UUID, followee: UUID) -> list[Event]:
        """Begin to follow; twice is once."""
        if follower == followee:
            raise FollowSelf(f"member {follower} cannot follow themselves; name somebody else")
        if self.active:
            return []
        return [Followed(follower=follower, followee=followee)]

    def unfollow(self, follower: UUID, followee: UUID) -> list[Event]:
        """Cease to follow; nothing happens when they did not."""
        if not self.active:
            return []
        return [Unfollowed(follower=follower, followee=followee)]

    def evolve(self, event: Event) -> "Follow":
        """Take a fact in."""
        match event:
            case Followed():
                return Follow(active=True)
            case Unfollowed():
                return Follow(active=False)
        return self
