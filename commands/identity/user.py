"""Registering, revising, suspending users, and their roles."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from commands import Change, ChosenId, Clock, Ids, Log, Name, Receipt, Text, command, handles, part
from commands.identity.letter import asking_for
from commands.identity.password import Password, Passwords
from domain import Event
from domain.identity.claim import EMAIL, USERNAME, Claim, claim_id
from domain.identity.letter import VERIFY, Letter
from domain.identity.password import PasswordHash, password_id
from domain.identity.user import Address, Person, User

MAX_EMAIL = 254
"""Characters of an address that a mail server takes (RFC 5321, 4.5.3.1.3, less the brackets)."""

Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=MAX_EMAIL,
        pattern=r"^[^@\s\x00-\x1f\x7f<>\"(),:;\[\]\\]{1,64}@[^@\s\x00-\x1f\x7f<>\"(),:;\[\]\\]+\.[^@\s.\x00-\x1f\x7f<>\"(),:;\[\]\\]+$",
    ),
    Field(examples=["ada@example.org"]),
]
"""An e-mail address; whether mail reaches it is found out by sending some."""
Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{2,31}$"),
    Field(examples=["ada"]),
]
"""3 to 32 letters, digits, dots, dashes and underscores; the first one a letter or digit."""
Phone = Annotated[
    str, StringConstraints(pattern=r"^(\+[1-9][0-9]{6,14})?$"), Field(examples=["+27215550100"])
]
"""E.164; empty for none."""
Picture = Annotated[
    str,
    StringConstraints(max_length=2_000, pattern=r"^(https://[^\s\x00-\x1f]+)?$"),
    Field(examples=["https://example.org/ada.png"]),
]
"""The address of a picture; empty for none."""
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(examples=["ZA"])]
Role = Literal[
    "customer", "merchant", "teller", "risk officer", "moderator", "operator", "auditor", "service"
]


@part
class PostalAddress:
    """Where somebody lives; `country` is an ISO 3166-1 alpha-2 code."""

    street: Name
    postcode: Name
    city: Name
    country: Country
    region: Name | None = None


@part
class About:
    """What a user tells of themselves."""

    name: Name
    bio: Text = ""
    avatar: Picture = ""
    phone: Phone = ""
    address: PostalAddress | None = None


@command
class RegisterUser:
    """Become a user. No other user may have the e-mail address or the username.

    Without a password the user cannot log in.
    """

    user_id: ChosenId | None = None
    username: Username
    email: Email
    person: About
    password: Password | None = None


@command
class ChangeEmail:
    """Be reached at another e-mail address; the old one is free for others."""

    user_id: UUID
    email: Email


@command
class ChangeUsername:
    """Go by another username; the old one is free for others."""

    user_id: UUID
    username: Username


@command
class RevisePerson:
    """Tell something else; what is left out is forgotten."""

    user_id: UUID
    person: About


@command
class SuspendUser:
    """Keep a user from doing anything."""

    user_id: UUID
    reason: Name


@command
class ReactivateUser:
    """Let a suspended user act again."""

    user_id: UUID
    reason: Name


@command
class GrantRole:
    """Let a user do what a role may."""

    user_id: UUID
    role: Role


@command
class RevokeRole:
    """Let a user no longer do what a role may."""

    user_id: UUID
    role: Role


@handles(RegisterUser)
async def register_user(
    c: RegisterUser, log: Log, ids: Ids, clock: Clock, passwords: Passwords
) -> Receipt:
    """Register, claim both names and ask for a letter to the address, in one append."""
    id = c.user_id or ids.new()
    hash = await passwords.hash(c.password.get_secret_value()) if c.password else None
    letter = asking_for(VERIFY, id, c.email, clock)
    return await log.change_all(
        *registration(id, c.username, c.email, _person(c.person), letter, hash=hash)
    )


@handles(ChangeEmail)
async def change_email(c: ChangeEmail, log: Log, clock: Clock) -> Receipt:
    """Exchange one claim for the other, and ask for a letter to the new address."""
    user = await log.load(User, c.user_id)
    return await log.change_all(
        Change(User, c.user_id, lambda user: user.change_email(c.email)),
        *_exchange(EMAIL, user.email, c.email, c.user_id),
        *([] if user.email == c.email else [asking_for(VERIFY, c.user_id, c.email, clock)]),
    )


@handles(ChangeUsername)
async def change_username(c: ChangeUsername, log: Log) -> Receipt:
    """Exchange one claim for the other."""
    user = await log.load(User, c.user_id)
    return await log.change_all(
        Change(User, c.user_id, lambda user: user.change_username(c.username)),
        *_exchange(USERNAME, user.username, c.username, c.user_id),
    )


@handles(RevisePerson)
async def revise_person(c: RevisePerson, log: Log) -> Receipt:
    """Revise the whole."""
    person = _person(c.person)
    return await log.change(User, c.user_id, lambda user: user.revise(person))


@handles(SuspendUser)
async def suspend_user(c: SuspendUser, log: Log) -> Receipt:
    """Suspend once."""
    return await log.change(User, c.user_id, lambda user: user.suspend(c.reason))


@handles(ReactivateUser)
async def reactivate_user(c: ReactivateUser, log: Log) -> Receipt:
    """Reactivate once."""
    return await log.change(User, c.user_id, lambda user: user.reactivate(c.reason))


@handles(GrantRole)
async def grant_role(c: GrantRole, log: Log) -> Receipt:
    """Grant once."""
    return await log.change(User, c.user_id, lambda user: user.grant(c.role))


@handles(RevokeRole)
async def revoke_role(c: RevokeRole, log: Log) -> Receipt:
    """Revoke once."""
    return await log.change(User, c.user_id, lambda user: user.revoke(c.role))


def registration(
    id: UUID,
    username: str,
    email: str,
    person: Person,
    letter: Change[Letter],
    *,
    hash: str | None,
    role: str | None = None,
) -> list[Change[Any]]:
    """Return the changes that make somebody a user: all in one append, the user's own first."""
    registered: list[Event] = []

    def registering(user: User) -> list[Event]:
        registered[:] = user.register(username, email, person)
        granted = user.fold(registered).grant(role) if registered and role else []
        return registered + granted

    def setting(known: PasswordHash) -> list[Event]:
        # Only with the registration: whoever repeats one gives nobody another password.
        return known.set(id, hash) if registered and hash else []

    def asking(known: Letter) -> Sequence[Event]:
        return letter.decide(known) if registered else []

    return [
        Change(User, id, registering),
        _claiming(EMAIL, email, id),
        _claiming(USERNAME, username, id),
        Change(PasswordHash, password_id(id), setting),
        Change(Letter, letter.id, asking),
    ]


def _person(about: About) -> Person:
    at = about.address
    address = at and Address(
        street=at.street, postcode=at.postcode, city=at.city, country=at.country, region=at.region
    )
    return Person(
        name=about.name,
        bio=about.bio,
        avatar=about.avatar,
        phone=about.phone,
        address=address or None,
    )


def _claiming(kind: str, name: str, user: UUID) -> Change[Claim]:
    return Change(Claim, claim_id(kind, name), lambda claim: claim.claim(user, kind))


def _exchange(kind: str, old: str, new: str, user: UUID) -> list[Change[Claim]]:
    """Claim the new name, release the old one; one claim holds all spellings of a name."""
    changes = [_claiming(kind, new, user)]
    if claim_id(kind, old) != claim_id(kind, new):
        changes.append(Change(Claim, claim_id(kind, old), lambda claim: claim.release(user)))
    return changes
