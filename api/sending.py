"""The way of a command through HTTP, in one go: FastAPI documents the route and does not run it.

For each request FastAPI asks route after route, opens stacks of contexts, solves a graph of
dependencies and models the answer twice. That takes several times as long as to decide the command
and to append its facts; docs/performance.md has the figures.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.permissions import Allowed, require_own
from api.ports import BASE, Dispatcher, admitted
from infra.dispatch import Answer

JSON = "application/json"
PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Sending:
    """What a route does: which command it sends, from which parts of the request."""

    operation_id: str
    path: str
    """From the root on, with `{name}` for its parameters."""
    command: type
    in_path: Mapping[str, TypeAdapter[Any]]
    """The parameters, in the order of the path."""
    body: type[BaseModel]
    body_required: bool
    status: int
    place: str | None
    """Where `Location` leads."""
    allowed: Allowed

    async def __call__(self, request: Request, body: bytes) -> Response:
        """Answer a request. Raises whatever is wrong; `api.problems` has the answers to that."""
        by = await admitted(request, self.allowed)
        dispatch = Dispatcher(request, by)
        values = self._values(request, body)
        if by.own_only and isinstance(self.allowed.owner, str):
            require_own(by, values[self.allowed.owner])
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
        return values | given.__dict__

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


class Commands:
    """Finds what a request sends, by its method and its path."""

    def __init__(self) -> None:
        self._methods: dict[str, _Place] = {}

    def add(self, method: str, sending: Sending) -> None:
        """Let requests of `method` to its path find it."""
        place = self._methods.setdefault(method, _Place())
        for part in sending.path.split("/"):
            name = "" if PARAMETER.fullmatch(part) else part
            place = place.below.setdefault(name, _Place())
        place.sending = sending

    def find(self, method: str, path: str) -> tuple[Sending, dict[str, str]] | None:
        """Return what is sent and the parameters in the path; None for what is no command."""
        place = self._methods.get(method)
        if place is None:
            return None
        given: list[str] = []
        sending = place.find(path.split("/"), 0, given)
        return (sending, dict(zip(sending.in_path, given, strict=True))) if sending else None


class _Place:
    """A part of paths: those below it by name, the one for any value by the empty name."""

    __slots__ = ("below", "sending")

    def __init__(self) -> None:
        self.below: dict[str, _Place] = {}
        self.sending: Sending | None = None

    def find(self, parts: Sequence[str], at: int, given: list[str]) -> Sending | None:
        """Return what the rest of the parts leads to; their values go to `given`."""
        if at == len(parts):
            return self.sending
        part = parts[at]
        named = self.below.get(part) if part or not at else None
        if named and (sending := named.find(parts, at + 1, given)):
            return sending
        anything = self.below.get("") if part and at else None
        if anything is None:
            return None
        given.append(part)
        sending = anything.find(parts, at + 1, given)
        if sending is None:
            given.pop()
        return sending


def _loaded(request: Request, raw: bytes) -> Any:
    """Return the body's value: the bytes themselves when they do not say that they are JSON."""
    if not raw:
        return None
    if not _is_json(request.state.headers.get("content-type", "")):
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
