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

    def __init__(self) -> None:
        super().__init__()
        self._holders: dict[UUID, UUID] = {}

    def see(self, stream: UUID, fact: Event) -> None:
        """Take one fact in."""
        match fact:
            case NameClaimed(user_id=user):
                holder = self._holders.setdefault(stream, user)
                self.require(holder == user, f"claim {stream}: {user} has what {holder} holds")
            case NameReleased(user_id=user):
                former = self._holders.pop(stream, None)
                self.require(former == user, f"claim {stream}: {user} released what {former} holds")


class NamesClaimed(Watcher):
    """Two users never have one e-mail address or one username, in whatever spelling."""

    name = "every user has their own names"

    def __init__(self) -> None:
        super().__init__()
        self._holders: dict[UUID, UUID] = {}
        self._names: dict[tuple[UUID, str], UUID] = {}

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
        before = self._names.pop((user, kind), None)
        if before is not None:
            self._holders.pop(before, None)
        holder = self._holders.setdefault(claim, user)
        self.require(holder == user, f"user {user} has the {kind} that {holder} has")
        self._names[user, kind] = claim
