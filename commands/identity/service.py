"""Issuing and revoking the tokens of services."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints

from commands import ChosenId, Clock, Ids, Log, Name, Receipt, command, handles
from domain.identity.service import ServiceToken

MAX_SCOPES = 50
MAX_DAYS = 366
"""The longest that a token is good: nobody remembers an older one."""

ServiceName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$"),
    Field(examples=["warehouse"]),
]
"""What the audit trail calls it. Tokens of one name are one actor: one can replace another."""
Scope = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,100}$")]
Scopes = Annotated[
    tuple[Scope, ...],
    Field(min_length=1, max_length=MAX_SCOPES, examples=[["receive_stock"]]),
]
Days = Annotated[int, Field(ge=1, le=MAX_DAYS, examples=[90])]


@command
class IssueServiceToken:
    """Let a service call some operations, for some days, by a token of this hash."""

    token_id: ChosenId | None = None
    name: ServiceName
    scopes: Scopes
    days: Days
    hash: SecretStr


@command
class RevokeServiceToken:
    """Let nobody act by a token any more."""

    token_id: UUID
    reason: Name


@handles(IssueServiceToken)
async def issue_service_token(c: IssueServiceToken, log: Log, ids: Ids, clock: Clock) -> Receipt:
    """Issue once."""
    until, hash = clock.now() + timedelta(days=c.days), c.hash.get_secret_value()
    scopes = tuple(sorted(set(c.scopes)))
    return await log.change(
        ServiceToken,
        c.token_id or ids.new(),
        lambda token: token.issue(c.name, scopes, hash, until),
    )


@handles(RevokeServiceToken)
async def revoke_service_token(c: RevokeServiceToken, log: Log) -> Receipt:
    """Revoke once."""
    return await log.change(ServiceToken, c.token_id, lambda token: token.revoke(c.reason))
