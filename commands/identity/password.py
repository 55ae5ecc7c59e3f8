"""Passwords: set, and proved."""

from typing import Annotated, Any, Protocol
from uuid import UUID

from pydantic import Field, SecretStr

from commands import Change, Log, Receipt, command, handles
from commands.identity.logins import ending
from domain import Refused
from domain.identity.letter import RESET, Letter, letter_id
from domain.identity.logins import Logins, logins_id
from domain.identity.password import PasswordHash, password_id
from domain.identity.session import PASSWORD_CHANGED
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
    """Prove the old password and take a new one; every session but `session_id` ends."""

    user_id: UUID
    old: Annotated[SecretStr, Field(max_length=MAX_PASSWORD)]
    new: Password
    session_id: UUID | None = None


@handles(ChangePassword)
async def change_password(c: ChangePassword, log: Log, passwords: Passwords) -> Receipt:
    """Check, then change."""
    (await log.load(User, c.user_id)).require_active()
    known = await log.load(PasswordHash, password_id(c.user_id))
    if not await passwords.verify(c.old.get_secret_value(), known.hash):
        raise WrongPassword("that is not the old password; try again")
    hash = await passwords.hash(c.new.get_secret_value())
    return await log.change_all(*await replacing(log, c.user_id, hash, kept=c.session_id))


async def replacing(
    log: Log, user_id: UUID, hash: str, kept: UUID | None = None
) -> list[Change[Any]]:
    """Return the changes that give a user another password, and end all sessions but one."""
    others = (await log.load(Logins, logins_id(user_id))).others(kept)
    return [
        Change(PasswordHash, password_id(user_id), lambda one: one.set(user_id, hash)),
        Change(Letter, letter_id(user_id, RESET), lambda letter: letter.spend()),
        *ending(user_id, others, PASSWORD_CHANGED),
    ]
