"""Passwords: set, and proved."""

from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field, SecretStr

from commands import Log, Receipt, command, handles
from domain import Refused
from domain.identity.password import PasswordHash, password_id
from domain.identity.user import User

MIN_PASSWORD = 8
"""NIST SP 800-63B-4, 3.1.1.2, asks for 15 where the password is all, and 8 at least."""
MAX_PASSWORD = 256

Password = Annotated[
    SecretStr,
    Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD, examples=["correct horse battery"]),
]
"""Any characters; long is better than odd."""


class WrongPassword(Refused, code="wrong_password"):
    """The password is not the user's."""


class Passwords(Protocol):
    """Makes and checks hashes of passwords; slow by design."""

    async def hash(self, password: str) -> str:
        """Return a hash with a new salt."""
        ...

    async def verify(self, password: str, hash: str) -> bool:
        """Tell whether the hash is one of the password; as slow for an empty hash."""
        ...


@command
class ChangePassword:
    """Prove the old password and take a new one."""

    user_id: UUID
    old: Password
    new: Password


@handles(ChangePassword)
async def change_password(c: ChangePassword, log: Log, passwords: Passwords) -> Receipt:
    """Check, then change."""
    (await log.load(User, c.user_id)).require_active()
    stream = password_id(c.user_id)
    known = await log.load(PasswordHash, stream)
    if not await passwords.verify(c.old.get_secret_value(), known.hash):
        raise WrongPassword("that is not the old password; try again")
    hash = await passwords.hash(c.new.get_secret_value())
    return await log.change(PasswordHash, stream, lambda one: one.set(c.user_id, hash))
