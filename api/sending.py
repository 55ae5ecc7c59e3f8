"""The way of a command through HTTP, in one go: FastAPI documents the route and does not run it.

For each request FastAPI solves a graph of dependencies, reads headers as e-mail and models the
answer twice. That takes longer than to decide the command and to append its facts.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import request_response

from api.ports import BASE, Dispatcher, authenticate
from infra.dispatch import Answer

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Sending:
    """What a route does: which command it sends, from which parts of the request."""

    command: type
    in_path: Mapping[str, TypeAdapter[Any]]
    body: type[BaseModel]
    body_required: bool
    status: int
    place: str | None
    """Where `Location` leads."""

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        dispatch = Dispatcher(request, authenticate(request))
        values = self._values(request, await request.body())
        return self._answer(await dispatch(self.command(**values)), values)

    def _values(self, request: Request, raw: bytes) -> dict[str, Any]:
        """Return the command's values. Raises `RequestValidationError` with all that is wrong."""
        values: dict[str, Any] = {}
        errors: list[Any] = []
        for name, adapter in self.in_path.items():
            try:
                values[name] = adapter.validate_python(request.path_params[name])
            except ValidationError as error:
                errors += _placed(("path", name), error)
        body = _loaded(request, raw)
        if body is None and self.body_required:
            errors.append({"type": "missing", "loc": ("body",), "msg": "Field required"})
        else:
            try:
                given = self.body.model_validate({} if body is None else body)
            except ValidationError as error:
                errors += _placed(("body",), error)
        if errors:
            raise RequestValidationError(errors)
        return values | {name: getattr(given, name) for name in self.body.model_fields}

    def _answer(self, answer: Answer, values: dict[str, Any]) -> Response:
        receipt = answer.receipt
        headers = {
            "Aorist-Position": f"{receipt.context}={receipt.position}",
            "ETag": f'"{receipt.version}"',
        }
        if self.place:
            headers["Location"] = BASE + self.place.format(**{**values, "id": receipt.stream})
        if answer.replayed:
            headers["Idempotent-Replayed"] = "true"
        content = msgspec.json.encode(
            {
                "id": receipt.stream,
                "version": receipt.version,
                "position": {"context": receipt.context, "value": receipt.position},
            }
        )
        return Response(content, self.status, headers, JSON)


class CommandRoute(APIRoute):
    """A route whose endpoint is there for the documentation; `endpoint.sending` does the work."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = request_response(self.get_route_handler())

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        sending: Sending = self.endpoint.sending  # type: ignore[attr-defined]
        return sending


def _loaded(request: Request, raw: bytes) -> Any:
    """Return the body's value: the bytes themselves when they do not say that they are JSON."""
    if not raw:
        return None
    if not _is_json(request.headers.get("Content-Type", "")):
        return raw
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        invalid = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "ctx": {"error": error.msg},
        }
        raise RequestValidationError([invalid]) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, too deep, too long a number
        raise HTTPException(400, "the body cannot be read") from error


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True
    kind, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    return kind == "application" and (subtype == "json" or subtype.endswith("+json"))


def _placed(where: tuple[str, ...], error: ValidationError) -> list[Any]:
    return [{**one, "loc": (*where, *one["loc"])} for one in error.errors(include_url=False)]
