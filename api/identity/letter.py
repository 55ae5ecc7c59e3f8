"""Letters over HTTP: asked for, and the pages that their links lead to."""

from typing import Annotated

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from api.pages import Input, Page
from api.permissions import EVERYONE, OPERATOR, allow, own
from api.ports import logins_of, stranger
from api.routes import Routes
from commands.identity.letter import AskForVerification, ResetPassword, VerifyEmail
from commands.identity.password import MIN_PASSWORD
from commands.identity.session import Login

VERIFYING = Page(
    title="Your e-mail address",
    text="This says that whoever opened the letter's link has the address.",
    button="Confirm it",
    done="Thank you, the address is confirmed.",
    # pragma: allowlist nextline secret
    secret="token",  # noqa: S106 - that is its name
)
RESETTING = Page(
    title="Another password",
    text="All your logins end with it.",
    fields=(
        Input(
            "new", "Password", kind="password", autocomplete="new-password", shortest=MIN_PASSWORD
        ),
    ),
    button="Take it",
    done="That is your password now. Log in at /api/v1/login.",
    # pragma: allowlist nextline secret
    secret="token",  # noqa: S106 - that is its name
)


class Forgotten(BaseModel):
    """Who has forgotten the password."""

    model_config = ConfigDict(extra="forbid")
    login: Annotated[Login, Field(examples=["ada"])]


class Asked(BaseModel):
    """What is said to everybody who asks."""

    detail: str = "if there is such a user, a letter is on its way"


routes = Routes(tags=["login"])


@routes.get("/verify-email", operation_id="verify_email_page", response_class=HTMLResponse)
@allow(EVERYONE)
async def verify_email_page() -> HTMLResponse:
    """Show the page that a letter's link leads to."""
    return VERIFYING.answer()


@routes.get("/reset-password", operation_id="reset_password_page", response_class=HTMLResponse)
@allow(EVERYONE)
async def reset_password_page() -> HTMLResponse:
    """Show the page that a letter's link leads to."""
    return RESETTING.answer()


routes.command("/verify-email", VerifyEmail, allow=EVERYONE)
routes.command("/reset-password", ResetPassword, allow=EVERYONE)
routes.command(
    "/users/{user_id}/email/verification",
    AskForVerification,
    status=202,
    location="/users/{user_id}",
    allow=own("user_id", OPERATOR),
)


@routes.post("/forgotten-password", operation_id="forgotten_password", status_code=202)
@allow(EVERYONE)
async def forgotten_password(request: Request, body: Forgotten) -> Asked:
    """Have a letter sent to get in again by. Nobody learns whether there is such a user."""
    await logins_of(request).forgotten(body.login, stranger(request))
    return Asked()
