"""Errors as `application/problem+json` (RFC 9457): the only place that knows status codes."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from api.counting import TooManyRequests
from api.ports import BadHeader, Unauthenticated
from api.refusing import noted
from domain import Forbidden, Invalid, NotFound, Refused, Unproven
from infra.dispatch import Contended, InFlight, KeyReused, Replayed
from infra.log.port import Busy, CorruptFact, LogError, Rejected
from infra.queries import Behind
from infra.rebuilding.renewal import BeingRebuilt
from infra.session import VersionMoved
from infra.throttle import WINDOW_S, Left, TooManyTries
from infra.tokens import BadToken

RETRY_AFTER_S = "1"
REBUILT_AFTER_S = "5"
HTTP_CODES = {
    400: (422, "malformed"),
    404: (404, "no_such_route"),
    405: (405, "method_not_allowed"),
    413: (413, "too_large"),
    414: (414, "target_too_long"),
    415: (415, "compressed_body"),
    431: (431, "head_too_large"),
}
"""What the framework refuses by itself: as which status and code it is told."""
CHALLENGE = {"WWW-Authenticate": "Bearer"}
"""With every 401: what to show (RFC 6750, 3)."""
SECRETS = frozenset({"password", "old", "new", "refresh_token", "code", "token"})
"""Fields whose values no answer repeats."""
MAX_ERRORS = 50
"""Validation errors named in one answer."""
MAX_SHOWN = 100
"""Characters of a wrong value that an answer repeats."""
MAX_PATH = 500
"""Characters of a path that an answer repeats."""

log = structlog.get_logger("aorist.http")


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """An error: `code` is stable, `detail` says what was wrong and what to do."""

    type: str = Field(examples=["/problems/insufficient_funds"])
    title: str = Field(examples=["Insufficient funds"])
    status: int = Field(examples=[409])
    detail: str
    instance: str = Field(examples=["/api/v1/accounts/…"])
    code: str = Field(examples=["insufficient_funds"])
    correlation_id: str
    errors: list[FieldError] = []


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem answer."""
    body = Problem(
        type=f"/problems/{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        instance=request.url.path[:MAX_PATH],
        code=code,
        correlation_id=correlation_of(request),
        errors=list(errors),
    )
    shown = body.model_dump(exclude=set() if errors else {"errors"})
    # What a caller sent may be repeated here, half a surrogate pair among it.
    content = json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace")
    return Response(content, status, headers, media_type="application/problem+json")


def correlation_of(request: Request) -> str:
    """Return the request's correlation id."""
    return str(getattr(request.state, "correlation_id", ""))


def _refused(request: Request, error: Refused) -> Response:
    statuses = {NotFound: 404, Forbidden: 403, Invalid: 422, Unproven: 401}
    status = next((s for base, s in statuses.items() if isinstance(error, base)), 409)
    headers = {"Idempotent-Replayed": "true"} if isinstance(error.__cause__, Replayed) else {}
    if status == 401:
        headers |= CHALLENGE
    return problem(request, status, error.code, error.detail, headers=headers)


def _invalid(request: Request, error: RequestValidationError | ValidationError) -> Response:
    found = error.errors()[:MAX_ERRORS]
    errors = [
        FieldError(field=".".join(str(part) for part in one["loc"]), message=_message(one))
        for one in found
    ]
    detail = "; ".join(f"{one.field}: {one.message}" for one in errors[:3])
    return problem(request, 422, "invalid", detail, errors)


def _message(error: Any) -> str:
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error.get('ctx', {}).get('error', error['msg'])}"
    if isinstance(error.get("input"), bytes):
        return "the body must be JSON, with the header Content-Type: application/json"
    if not SECRETS.isdisjoint(error["loc"]):
        return str(error["msg"])
    value = repr(error.get("input"))
    shown = value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "…"
    return str(error["msg"]) if error["type"] == "missing" else f"{error['msg']}, got {shown}"


def _log_error(request: Request, error: LogError) -> Response:
    """A refused value is the caller's, a corrupt fact nobody's; for the rest: try again."""
    if isinstance(error, CorruptFact):
        return problem(request, 500, "corrupt_fact", str(error))
    if isinstance(error, Rejected):
        return problem(request, 422, "rejected", str(error))
    code, detail = "busy", str(error)
    if not isinstance(error, Busy | Contended):
        # Where the store is, and who logs in there, is not for the caller to know.
        log.warning("store away", error=detail, correlation_id=correlation_of(request))
        code, detail = "unavailable", "the store gives no answer; try again with the same key"
    return problem(request, 503, code, detail, headers={"Retry-After": RETRY_AFTER_S})


def _http(request: Request, error: HTTPException) -> Response:
    status, code = HTTP_CODES.get(error.status_code, (error.status_code, "http_error"))
    detail = f"{request.method} {request.url.path[:MAX_PATH]}: {error.detail}"
    if code == "malformed":
        detail = "the body is no JSON in UTF-8, or too deep or with too long a number"
    return problem(request, status, code, detail, headers=dict(error.headers or {}))


def limits(left: Left) -> dict[str, str]:
    """Return the headers that say how often something may be tried (IETF draft ratelimit-headers).

    In `RateLimit`, r is what is left and t the seconds until there is more.
    """
    return {
        "RateLimit-Policy": f'"tries";q={left.of};w={WINDOW_S}',
        "RateLimit": f'"tries";r={left.tries};t={left.reset_s}',
    }


def _too_many(request: Request, error: TooManyTries) -> Response:
    headers = {"Retry-After": str(error.left.reset_s), **limits(error.left)}
    return problem(request, 429, "too_many_tries", str(error), headers=headers)


def _too_many_requests(request: Request, error: TooManyRequests) -> Response:
    headers = {"Retry-After": str(error.left.reset_s)}
    return problem(request, 429, "too_many_requests", str(error), headers=headers)


def _fixed(status: int, code: str, **headers: str) -> Callable[..., Response]:
    def handle(request: Request, error: Exception) -> Response:
        return problem(request, status, code, str(error), headers=headers)

    return handle


HANDLERS: dict[type[Exception], Callable[..., Response]] = {
    Refused: _refused,
    RequestValidationError: _invalid,
    ValidationError: _invalid,
    BadHeader: _fixed(422, "bad_header"),
    TooManyTries: _too_many,
    TooManyRequests: _too_many_requests,
    Unauthenticated: _fixed(401, "unauthenticated", **CHALLENGE),
    BadToken: _fixed(401, "bad_token", **CHALLENGE),
    VersionMoved: _fixed(412, "version_moved"),
    KeyReused: _fixed(422, "key_reused"),
    InFlight: _fixed(409, "in_flight"),
    LogError: _log_error,
    Behind: _fixed(503, "behind", **{"Retry-After": RETRY_AFTER_S}),
    BeingRebuilt: _fixed(503, "being_rebuilt", **{"Retry-After": REBUILT_AFTER_S}),
    HTTPException: _http,
}


def install(app: FastAPI) -> None:
    """Let every error become a problem answer."""
    for error in HANDLERS:
        app.add_exception_handler(error, told)


def told(request: Request, error: Exception) -> Response:
    """Return the answer to an error. One that nobody expects is raised again."""
    noted(request, error)
    for kind in type(error).__mro__:
        if kind in HANDLERS:
            return HANDLERS[kind](request, error)
    raise error
