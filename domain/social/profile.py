"""A member's profile: whoever has one takes part in the network."""

from uuid import UUID

from domain import Event, Forbidden, NotFound, Personal, Refused, State


class ProfileCreated(Event, frozen=True):
    """A member joined the network. The stream is the member's own id."""

    TOPIC = "social.profile.created"
    name: Personal[str]
    bio: Personal[str] = ""


class MemberRequired(Forbidden, code="member_required"):
    """The caller is a service or nobody; only members act in the network."""


class ProfileRequired(Refused, code="profile_required"):
    """The caller is a member without a profile, and so has no name to act under."""


class ProfileExists(Refused, code="profile_exists"):
    """The member's profile says something else than the one asked for."""


class ProfileNotFound(NotFound, code="profile_not_found"):
    """Nobody of that id has joined the network."""


class Profile(State, frozen=True):
    """What a profile remembers: that it exists, and as what it was created."""

    KIND = "social.profile"
    exists: bool = False
    name: str = ""
    bio: str = ""

    def create(self, name: str, bio: str) -> list[Event]:
        """Join the network."""
        if not self.exists:
            return [ProfileCreated(name=name, bio=bio)]
        if (self.name, self.bio) == (name, bio):
            return []
        raise ProfileExists(f"you already have a profile, as {self.name!r}; keep that one")

    def evolve(self, event: Event) -> "Profile":
        """Take a fact in."""
        match event:
            case ProfileCreated(name=name, bio=bio):
                return Profile(exists=True, name=name, bio=bio)
        return self


def require_member(user: UUID | None) -> UUID:
    """Return the acting member; a caller who is no user is refused."""
    if user is None:
        raise MemberRequired("only a member can do this; send it as a user, not as a service")
    return user


def require_own_profile(profile: Profile, member: UUID) -> None:
    """Refuse a member who acts before having a profile."""
    if not profile.exists:
        raise ProfileRequired(f"member {member} has no profile yet; create it first")


def require_profile(profile: Profile, member: UUID) -> None:
    """Refuse to deal with somebody who has not joined."""
    if not profile.exists:
        raise ProfileNotFound(f"there is no profile {member}; check the id")
