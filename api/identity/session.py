"""Logging in, staying so, logging out."""

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.permissions import EVERYONE, USERS, allow
from api.ports import Authenticated, Unauthenticated, logins_of, stranger
from api.problems import limits
from api.routes import Routes
from commands.identity.password import MAX_PASSWORD
from infra.logins import Granted
from infra.tokens import MAX_TOKEN


class Credentials(BaseModel):
    """An e-mail address or a username, and the password."""

    model_config = ConfigDict(extra="forbid")
    login: Annotated[str, Field(min_length=1, max_length=254, examples=["ada"])]
    password: Annotated[
        SecretStr, Field(max_length=MAX_PASSWORD, examples=["correct horse battery"])
    ]


class RefreshToken(BaseModel):
    """The newest refresh token of a login."""

    model_config = ConfigDict(extra="forbid")
    refresh_token: Annotated[SecretStr, Field(max_length=MAX_TOKEN)]


class Login(BaseModel):
    """Tokens (RFC 6750): the one to show, and the one that the next ones are got with."""

    user_id: UUID
    session_id: UUID
    access_token: str
    token_type: str = Field(examples=["Bearer"])
    expires_in: int = Field(examples=[600], description="seconds that the access token is good")
    refresh_token: str = Field(description="good for one use; used twice, it ends the login")


routes = Routes(tags=["login"])


@routes.post("/login", operation_id="log_in", response_model=Login)
@allow(EVERYONE)
async def log_in(request: Request, response: Response, body: Credentials) -> Login:
    """Begin a login by e-mail address or username, and password."""
    by = stranger(request)
    return _login(response, await logins_of(request).log_in(body.login, body.password, by))


@routes.post("/login/refresh", operation_id="refresh_login", response_model=Login)
@allow(EVERYONE)
async def refresh_login(request: Request, response: Response, body: RefreshToken) -> Login:
    """Get the next tokens. A refresh token that is used twice ends the login."""
    token = body.refresh_token.get_secret_value()
    return _login(response, await logins_of(request).refresh(token, stranger(request)))


@routes.post("/logout", operation_id="log_out", status_code=204)
@allow(USERS)
async def log_out(request: Request, by: Authenticated) -> None:
    """End the login whose access token is shown."""
    session: UUID | None = getattr(request.state, "session", None)
    if session is None:
        raise Unauthenticated("show the access token of the login that is to end")
    await logins_of(request).log_out(session, by)


def _login(response: Response, granted: Granted) -> Login:
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(limits(granted.left) if granted.left else {})
    return Login(
        user_id=granted.user,
        session_id=granted.session,
        access_token=granted.access,
        token_type="Bearer",  # noqa: S106 - that is no secret
        expires_in=granted.lifetime_s,
        refresh_token=granted.refresh,
    )
