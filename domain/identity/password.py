"""What a user proves with that they are who they say: a password, of which a hash is kept."""

from uuid import UUID, uuid5

from domain import Event, Secret, State

PASSWORDS = UUID("3e0c63c6-57a1-4b0e-9a39-6a4f44a6d9f5")
"""Namespace of the passwords' stream ids."""


class PasswordSet(Event, frozen=True):
    """The user's password is another one."""

    TOPIC = "identity.password.set"
    user_id: UUID
    hash: Secret[str]
    """With its salt and its parameters, as Argon2 writes it (PHC string format)."""


class PasswordHash(State, frozen=True):
    """What one user's password is checked against."""

    KIND = "identity.password"
    hash: Secret[str] = ""
    """Empty for a user who has no password, and cannot log in."""

    def set(self, user_id: UUID, hash: str) -> list[Event]:
        """Take another password."""
        return [PasswordSet(user_id=user_id, hash=hash)]

    def evolve(self, event: Event) -> "PasswordHash":
        """Remember the hash."""
        match event:
            case PasswordSet(hash=hash):
                return PasswordHash(hash=hash)
        return self


def password_id(user_id: UUID) -> UUID:
    """Return the stream of a user's password."""
    return uuid5(PASSWORDS, str(user_id))
