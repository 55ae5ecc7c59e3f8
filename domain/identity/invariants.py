"""What must hold over the whole log of users, watched fact by fact."""

from uuid import UUID

from domain import Event, Watcher
from domain.identity.claim import EMAIL, USERNAME, NameClaimed, NameReleased, claim_id
from domain.identity.user import EmailChanged, UsernameChanged, UserRegistered


def watch() -> list[Watcher]:
    """Return fresh watchers for one walk through the log."""
    return [NamesHeldOnce(), NamesClaimed()]


class NamesHeldOnce(Watcher):
    """A name is claimed by nobody else before it is released, and released by who has it."""

    name = "a name has one holder"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        holder = self.text("holder", stream)
        match fact:
            case NameClaimed(user_id=user):
                self.require(holder in (None, str(user)), f"claim {stream}: {user} has {holder}'s")
                self.keep(str(user), "holder", stream)
            case NameReleased(user_id=user):
                self.require(holder == str(user), f"claim {stream}: {user} released {holder}'s")
                self.forget("holder", stream)


class NamesClaimed(Watcher):
    """Two users never have one e-mail address or one username, in whatever spelling."""

    name = "every user has their own names"

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case UserRegistered(username=username, email=email):
                self._take(stream, USERNAME, username)
                self._take(stream, EMAIL, email)
            case EmailChanged(email=email):
                self._take(stream, EMAIL, email)
            case UsernameChanged(username=username):
                self._take(stream, USERNAME, username)

    def _take(self, user: UUID, kind: str, name: str) -> None:
        claim = claim_id(kind, name)
        before = self.text(kind, user)
        if before is not None:
            self.forget("holder", UUID(before))
        holder = self.text("holder", claim)
        self.require(holder is None, f"user {user} has the {kind} that {holder} has")
        self.keep(str(user), "holder", claim)
        self.keep(str(claim), kind, user)
