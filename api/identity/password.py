"""Passwords over HTTP: changed by who knows the old one."""

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.permissions import allow, own, require_own
from api.ports import Authenticated, logins_of
from api.problems import limits
from api.routes import Routes
from commands.identity.password import MAX_PASSWORD, ChangePassword, Password


class NewPassword(BaseModel):
    """The password that is, and the one that is to be."""

    model_config = ConfigDict(extra="forbid")
    old: Annotated[SecretStr, Field(max_length=MAX_PASSWORD, examples=["correct horse battery"])]
    new: Password


routes = Routes(tags=["login"])


@routes.post("/users/{user_id}/password", operation_id="change_password", status_code=204)
@allow(own("user_id"))
async def change_password(
    request: Request, response: Response, user_id: UUID, body: NewPassword, by: Authenticated
) -> None:
    """Take another password. Every login but the one whose token is shown ends."""
    if by.own_only:
        require_own(by, user_id)
    session: UUID | None = getattr(request.state, "session", None)
    command = ChangePassword(user_id=user_id, old=body.old, new=body.new, session_id=session)
    left = await logins_of(request).change_password(command, by)
    response.headers.update(limits(left))
