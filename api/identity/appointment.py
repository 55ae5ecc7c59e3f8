"""The first operator over HTTP: a page behind the link that the server prints, and its answer."""

from typing import Annotated
from uuid import UUID

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.pages import Input, Page
from api.permissions import EVERYONE, allow
from api.ports import logins_of, stranger
from api.routes import Routes
from commands import Name
from commands.identity.appointment import AppointFirstOperator
from commands.identity.password import MIN_PASSWORD, Password
from commands.identity.user import Email, Username

PATH = "/first-operator"
MAX_CODE = 100
NEW_PASSWORD = Input(
    "password", "Password", kind="password", autocomplete="new-password", shortest=MIN_PASSWORD
)
PAGE = Page(
    title="The first operator",
    text="Operators grant roles to users. This link is good for one.",
    fields=(
        Input("name", "Name"),
        Input("username", "Username", autocomplete="username"),
        Input("email", "E-mail", kind="email"),
        NEW_PASSWORD,
    ),
    button="Become the first operator",
    done="You are the first operator. Log in at /api/v1/login.",
    # pragma: allowlist nextline secret
    secret="code",  # noqa: S106 - that is its name
)


class FirstOperator(BaseModel):
    """Who becomes the first operator, and the code that the server printed."""

    model_config = ConfigDict(extra="forbid")
    code: Annotated[SecretStr, Field(max_length=MAX_CODE)]
    username: Username
    email: Email
    name: Name
    password: Password


class Appointed(BaseModel):
    """The first operator's id."""

    user_id: UUID


routes = Routes(tags=["login"])


@routes.get(PATH, operation_id="first_operator_page", response_class=HTMLResponse)
@allow(EVERYONE)
async def first_operator_page() -> HTMLResponse:
    """Show the page on which the first operator registers."""
    return PAGE.answer()


@routes.post(PATH, operation_id="first_operator", status_code=201)
@allow(EVERYONE)
async def first_operator(request: Request, body: FirstOperator) -> Appointed:
    """Register the first operator, with the code that the server printed. It is good once."""
    logins = logins_of(request)
    command = AppointFirstOperator(
        username=body.username, email=body.email, name=body.name, password=body.password
    )
    code = body.code.get_secret_value()
    return Appointed(user_id=await logins.appoint(code, command, stranger(request)))
