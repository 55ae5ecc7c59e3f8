"""Tokens of services over HTTP: issued, listed and revoked by operators."""

from datetime import datetime
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http import every_route
from api.permissions import AUDITOR, OPERATOR, allow, only, require_scopes
from api.ports import Authenticated, logins_of
from api.routes import Routes
from commands.identity.service import Days, RevokeServiceToken, Scopes, ServiceName
from projections.identity.service import all_service_tokens, service_token


class ForService(BaseModel):
    """Which service, which operations of this API, and for how many days."""

    model_config = ConfigDict(extra="forbid")
    name: ServiceName
    scopes: Scopes
    days: Days


class ServiceTokenShown(BaseModel):
    """A token, for the header `Authorization: Bearer …`. It is shown this once."""

    id: UUID
    token: str
    until: datetime = Field(description="when it is no longer good")


routes = Routes(tags=["services"])


@routes.post("/service-tokens", operation_id="issue_service_token", status_code=201)
@allow(only(OPERATOR))
async def issue_service_token(
    request: Request, response: Response, body: ForService, by: Authenticated
) -> ServiceTokenShown:
    """Let a service call some operations by a token. It is shown this once."""
    require_scopes(body.scopes, every_route())
    issued = await logins_of(request).machines.issue(body.name, body.scopes, body.days, by)
    response.headers["Cache-Control"] = "no-store"
    return ServiceTokenShown(id=issued.id, token=issued.token, until=issued.until)


routes.command("/service-tokens/{token_id}/revoke", RevokeServiceToken, allow=only(OPERATOR))
routes.query("/service-tokens", all_service_tokens, allow=only(OPERATOR, AUDITOR))
routes.query("/service-tokens/{token_id}", service_token, allow=only(OPERATOR, AUDITOR))
