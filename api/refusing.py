"""Refusals at the door: those that come to no command are kept in the audit trail all the same."""

from fastapi import Request
from starlette.types import Scope

from api.inspecting import NotAnInspector
from api.permissions import Hidden, NotAllowed
from api.ports import STRANGER, OutOfScope, circumstances, system_of
from commands import Caller
from infra.logins import WrongCode
from infra.refusals import Refused
from infra.throttle import TooManyTries
from infra.tokens import BadToken

AT_THE_DOOR = (NotAllowed, NotAnInspector, OutOfScope, Hidden, WrongCode, BadToken, TooManyTries)
"""What the other refusals are raised by has a receipt already."""
CODES = {BadToken: "bad_token", TooManyTries: "too_many_tries"}


def noted(request: Request, error: Exception) -> None:
    """Take note of an error that is being answered."""
    if isinstance(error, AT_THE_DOOR):
        request.state.refused = error


async def keep(scope: Scope) -> None:
    """Keep what was noted of a request, once it is answered."""
    error = scope.get("state", {}).get("refused")
    if error is None:
        return
    request = Request(scope)
    logins = system_of(request).logins
    if logins is None:
        return
    actor = getattr(request.state, "actor", STRANGER)
    roles: frozenset[str] = getattr(request.state, "roles", frozenset())
    operation = getattr(scope.get("route"), "operation_id", "unknown")
    code = CODES.get(type(error)) or error.code
    refused = Refused(operation, code, str(error), request.state.correlation_id)
    by = Caller(actor=actor, roles=roles, **circumstances(request))
    await logins.refusals.keep(refused, by, known=actor != STRANGER)
