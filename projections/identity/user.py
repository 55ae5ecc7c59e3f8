"""Users as they are now, with their roles."""

from uuid import UUID

import msgspec
from sqlalchemy import Boolean, Column, Text, Uuid, select

from domain import Envelope, Event
from domain.identity.user import (
    EmailChanged,
    EmailVerified,
    Person,
    PersonRevised,
    RoleGranted,
    RoleRevoked,
    UsernameChanged,
    UserReactivated,
    UserRegistered,
    UserSuspended,
)
from projections import Changes, Detail, Listing, count, document, key, moment, table, text

users = table(
    "users",
    key(),
    text("username"),
    text("email"),
    document("person"),
    Column("verified", Boolean, nullable=False, default=False),
    Column("suspended", Boolean, nullable=False, default=False),
    moment("registered_at"),
    count("position"),
    count("version"),
)
roles = table(
    "roles",
    Column("user_id", Uuid, primary_key=True),
    Column("role", Text, primary_key=True),
    moment("granted_at"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep a row for each user, and one for each role that a user has."""
    match fact:
        case UserRegistered(username=username, email=email, person=person):
            rows.insert(
                users,
                id=at.stream,
                username=username,
                email=email,
                person=_plain(person),
                registered_at=at.time,
                position=at.position,
                version=at.version,
            )
        case EmailChanged(email=email):
            rows.update(users, at.stream, email=email, verified=False, version=at.version)
        case EmailVerified():
            rows.update(users, at.stream, verified=True, version=at.version)
        case UsernameChanged(username=username):
            rows.update(users, at.stream, username=username, version=at.version)
        case PersonRevised(person=person):
            rows.update(users, at.stream, person=_plain(person), version=at.version)
        case UserSuspended():
            rows.update(users, at.stream, suspended=True, version=at.version)
        case UserReactivated():
            rows.update(users, at.stream, suspended=False, version=at.version)
        case RoleGranted(role=role):
            rows.insert(roles, user_id=at.stream, role=role, granted_at=at.time)
            rows.update(users, at.stream, version=at.version)
        case RoleRevoked(role=role):
            rows.delete(roles, (at.stream, role))
            rows.update(users, at.stream, version=at.version)


def user(user_id: UUID) -> Detail:
    """One user, with the roles they have."""
    return Detail(
        select(users).where(users.c.id == user_id),
        lists={
            "roles": select(roles.c.role, roles.c.granted_at)
            .where(roles.c.user_id == user_id)
            .order_by(roles.c.role)
        },
    )


def all_users() -> Listing:
    """All users, the latest first."""
    return Listing(select(users), by=(users.c.position,), descending=True)


def _plain(person: Person) -> object:
    return msgspec.to_builtins(person)
