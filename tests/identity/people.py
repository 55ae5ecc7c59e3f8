"""The people that the tests of identity speak of."""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from commands.identity.user import About, RegisterUser
from domain.identity.user import Person, UserRegistered
from tests.scenario import Scenario

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


def letters(scenario: Scenario) -> list[EmailMessage]:
    """Return the letters that were sent, the oldest first."""
    files = sorted(scenario.system.settings.mail_folder.glob("*.eml"))
    read = BytesParser(policy=default).parsebytes
    return [read(file.read_bytes()) for file in files]


def link_of(letter: EmailMessage) -> tuple[str, str]:
    """Return where a letter's link leads, and the token behind its #."""
    (link,) = [line for line in letter.get_content().splitlines() if line.startswith("http")]
    page, _, token = link.partition("#")
    return page, token


def newest_token(scenario: Scenario) -> SecretStr:
    return SecretStr(link_of(letters(scenario)[-1])[1])
