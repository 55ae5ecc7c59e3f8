"""Users: registered once, known by an e-mail address and a username, suspended or not."""

import msgspec

from domain import Event, NotFound, Personal, Refused, State
from domain.identity.letter import TokenNotGood


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person lives."""

    street: Personal[str]
    postcode: Personal[str]
    city: Personal[str]
    country: Personal[str]
    """ISO 3166-1 alpha-2."""
    region: Personal[str | None] = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What a user tells of themselves."""

    name: Personal[str]
    bio: Personal[str] = ""
    avatar: Personal[str] = ""
    """Address of a picture; empty for none."""
    phone: Personal[str] = ""
    """E.164, such as +4930901820; empty for none."""
    address: Address | None = None


class UserRegistered(Event, frozen=True):
    """Somebody is a user now."""

    TOPIC = "identity.user.registered"
    username: Personal[str]
    email: Personal[str]
    person: Person


class EmailChanged(Event, frozen=True):
    """The user is reached elsewhere, which is to be verified."""

    TOPIC = "identity.user.email_changed"
    email: Personal[str]


class EmailVerified(Event, frozen=True):
    """Who reads the mail of this address is the user."""

    TOPIC = "identity.user.email_verified"
    email: Personal[str]


class UsernameChanged(Event, frozen=True):
    """The user goes by another username."""

    TOPIC = "identity.user.username_changed"
    username: Personal[str]


class PersonRevised(Event, frozen=True):
    """The user tells something else of themselves; the whole of it."""

    TOPIC = "identity.user.person_revised"
    person: Person


class UserSuspended(Event, frozen=True):
    """The user may do nothing until reactivated."""

    TOPIC = "identity.user.suspended"
    reason: str


class UserReactivated(Event, frozen=True):
    """The user may act again."""

    TOPIC = "identity.user.reactivated"
    reason: str


class RoleGranted(Event, frozen=True):
    """The user may do what the role may."""

    TOPIC = "identity.user.role_granted"
    role: str


class RoleRevoked(Event, frozen=True):
    """The user may no longer do what the role may."""

    TOPIC = "identity.user.role_revoked"
    role: str


class UserExists(Refused, code="user_exists"):
    """The id belongs to a user who registered with something else."""


class UserNotFound(NotFound, code="user_not_found"):
    """Nobody of that id has registered."""


class UserIsSuspended(Refused, code="user_suspended"):
    """A suspended user changes nothing, until reactivated."""


class User(State, frozen=True):
    """One user."""

    KIND = "identity.user"
    username: str = ""
    """Empty before the registration."""
    email: str = ""
    person: Person = Person(name="")
    verified: bool = False
    """Whether the address has been."""
    suspended: bool = False
    roles: tuple[str, ...] = ()
    """In order, so that a snapshot is the same whichever came first."""

    def register(self, username: str, email: str, person: Person) -> list[Event]:
        """Become a user. Raises `UserExists`."""
        if not self.username:
            return [UserRegistered(username=username, email=email, person=person)]
        if (self.username, self.email, self.person) == (username, email, person):
            return []
        raise UserExists("another user has this id, or has changed since; choose a new id")

    def change_email(self, email: str) -> list[Event]:
        """Be reached at another address."""
        self.require_active()
        return [] if self.email == email else [EmailChanged(email=email)]

    def verify_email(self, email: str) -> list[Event]:
        """Take note that the user reads the mail of an address. Raises `TokenNotGood`."""
        self.require_active()
        if email != self.email:
            raise TokenNotGood  # of a letter to the address from before
        return [] if self.verified else [EmailVerified(email=email)]

    def change_username(self, username: str) -> list[Event]:
        """Go by another name."""
        self.require_active()
        return [] if self.username == username else [UsernameChanged(username=username)]

    def revise(self, person: Person) -> list[Event]:
        """Tell something else."""
        self.require_active()
        return [] if self.person == person else [PersonRevised(person=person)]

    def suspend(self, reason: str) -> list[Event]:
        """Keep the user from doing anything."""
        self.require_registered()
        return [] if self.suspended else [UserSuspended(reason=reason)]

    def reactivate(self, reason: str) -> list[Event]:
        """Let the user act again."""
        self.require_registered()
        return [UserReactivated(reason=reason)] if self.suspended else []

    def grant(self, role: str) -> list[Event]:
        """Give a role."""
        self.require_active()
        return [] if role in self.roles else [RoleGranted(role=role)]

    def revoke(self, role: str) -> list[Event]:
        """Take a role away; from a suspended user too."""
        self.require_registered()
        return [RoleRevoked(role=role)] if role in self.roles else []

    def evolve(self, event: Event) -> "User":
        """Take a fact in."""
        match event:
            case UserRegistered(username=username, email=email, person=person):
                return self.replace(username=username, email=email, person=person)
            case EmailChanged(email=email):
                return self.replace(email=email, verified=False)
            case EmailVerified():
                return self.replace(verified=True)
            case UsernameChanged(username=username):
                return self.replace(username=username)
            case PersonRevised(person=person):
                return self.replace(person=person)
            case UserSuspended():
                return self.replace(suspended=True)
            case UserReactivated():
                return self.replace(suspended=False)
            case RoleGranted(role=role):
                return self.replace(roles=tuple(sorted({*self.roles, role})))
            case RoleRevoked(role=role):
                return self.replace(roles=tuple(one for one in self.roles if one != role))
        return self

    def require_registered(self) -> None:
        """Refuse to deal with somebody who is no user."""
        if not self.username:
            raise UserNotFound("there is no user of this id; check it")

    def require_active(self) -> None:
        """Refuse to act for somebody who may do nothing."""
        self.require_registered()
        if self.suspended:
            raise UserIsSuspended("the user is suspended; reactivate them first")
