"""Names that one user has at a time: the e-mail address and the username.

Each name is a stream of its own, so that the append that takes it is refused when another user
has it, whoever comes first. The stream's id is a digest: a claim's facts tell nothing of a person.
"""

from unicodedata import normalize
from uuid import UUID, uuid5

from domain import Event, Refused, State

NAMES = UUID("a7cf7f2e-30d4-4a8f-9d0e-6c1f8c1f4f0e")
"""Namespace of the claims' stream ids."""
EMAIL, USERNAME = "email", "username"


class NameClaimed(Event, frozen=True):
    """A user has this name."""

    TOPIC = "identity.claim.claimed"
    user_id: UUID


class NameReleased(Event, frozen=True):
    """Nobody has this name any more; the next who asks may have it."""

    TOPIC = "identity.claim.released"
    user_id: UUID


class EmailTaken(Refused, code="email_taken"):
    """Another user has this e-mail address."""


class UsernameTaken(Refused, code="username_taken"):
    """Another user has this username."""


TAKEN: dict[str, type[Refused]] = {EMAIL: EmailTaken, USERNAME: UsernameTaken}


class Claim(State, frozen=True):
    """Who has one name."""

    KIND = "identity.claim"
    user_id: UUID | None = None

    def claim(self, user_id: UUID, kind: str) -> list[Event]:
        """Give the name to a user. Raises `EmailTaken` or `UsernameTaken`."""
        if self.user_id == user_id:
            return []
        if self.user_id is not None:
            raise TAKEN[kind](f"another user has this {kind}; choose a different one")
        return [NameClaimed(user_id=user_id)]

    def release(self, user_id: UUID) -> list[Event]:
        """Take the name from a user who has it."""
        return [NameReleased(user_id=user_id)] if self.user_id == user_id else []

    def evolve(self, event: Event) -> "Claim":
        """Remember who has it."""
        match event:
            case NameClaimed(user_id=user_id):
                return Claim(user_id=user_id)
            case NameReleased():
                return Claim()
        return self


def folded(name: str) -> str:
    """Return what two spellings of one name have in common: case and Unicode form aside.

    The Unicode Standard, section 3.13, D146: compatibility caseless matching.
    """
    once = normalize("NFKC", normalize("NFD", name).casefold())
    return normalize("NFKC", once.casefold()).strip()


def claim_id(kind: str, name: str) -> UUID:
    """Return the stream on which a name is claimed; one for all its spellings."""
    return uuid5(NAMES, f"{kind}:{folded(name)}")
