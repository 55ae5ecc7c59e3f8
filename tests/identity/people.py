"""The people that the tests of identity speak of."""

from typing import Any
from uuid import UUID

from commands.identity.user import About, RegisterUser
from domain.identity.user import Person, UserRegistered

ADA = UUID("ada00000-0000-4000-8000-000000000001")
BEN = UUID("be000000-0000-4000-8000-000000000002")

ada = UserRegistered(username="ada", email="ada@example.org", person=Person(name="Ada"))
ben = UserRegistered(username="ben", email="ben@example.org", person=Person(name="Ben"))


PASSWORD = "correct horse battery"


def register(user: UUID | None = ADA, name: str = "ada", **fields: Any) -> RegisterUser:
    asked: dict[str, Any] = {
        "user_id": user,
        "username": name,
        "email": f"{name}@example.org",
        "person": About(name=name.title()),
    }
    return RegisterUser(**(asked | fields))
