"""Routes from commands and query functions: a feature's API file only names paths.

routes = Routes(tags=["accounts"])
routes.command("/accounts", OpenAccount, status=201, allow=only(TELLER))
routes.command("/accounts/{account_id}/close", CloseAccount, allow=own(None, TELLER))
routes.query("/accounts/{account_id}", account, allow=own(holder_of, TELLER))
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from api.models import answer_model, camel
from api.permissions import NOBODY, Allowed, require_own
from api.ports import AFTER, AS_OF, BASE, IF_MATCH, KEY, MAX_AS_OF, Page, Read, Reader
from api.sending import PARAMETER, Sending
from infra.asof import has_past
from infra.dispatch import MAX_KEY
from projections import Detail, Listing


class Position(BaseModel):
    """A place in a context's log."""

    context: str
    value: int = Field(examples=[1234])


class Accepted(BaseModel):
    """The receipt: which aggregate changed, its new version, and the position to wait for."""

    id: UUID
    version: int = Field(examples=[1])
    position: Position


class Routes(APIRouter):
    """A feature's routes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(prefix=BASE, **options)
        self.places: dict[str, str] = {}
        """By path, where a command's `Location` leads."""
        self.commands: list[tuple[str, Sending]] = []
        """Methods, and what they send."""

    def command(
        self,
        path: str,
        command: type,
        *,
        status: int = 200,
        location: str | None = None,
        method: str = "POST",
        allow: Allowed | None = None,
    ) -> None:
        """Let `method path` send `command`.

        Parameters of the path are fields of the command; the other fields make up the body.
        201 and 202 answer with a `Location`: `location` with `{id}` for the receipt's id, or
        the path and the id.
        """
        in_path = PARAMETER.findall(path)
        hints = get_type_hints(command, include_extras=True)
        fields = {field.name: field for field in dataclasses.fields(command)}
        for name in in_path:
            if name not in fields:
                raise TypeError(f"{path}: {command.__name__} has no field {name!r}")
        in_body = [name for name in fields if name not in in_path]
        body = _body(command, {name: fields[name] for name in in_body}, hints)
        place = location or (path + "/{id}" if status in (201, 202) else None)
        if place:
            self.places[path] = BASE + place

        required = any(field.is_required() for field in body.model_fields.values())
        sending = Sending(
            operation_id=_snake(command.__name__),
            path=BASE + path,
            command=command,
            in_path={name: TypeAdapter(hints[name]) for name in in_path},
            body=body,
            body_required=required,
            status=status,
            place=place,
            allowed=allow or NOBODY,
        )
        self.commands.append((method, sending))
        parameters = [_parameter(name, hints[name]) for name in in_path]
        endpoint = _documented([*parameters, *_of_any_command(), _body_parameter(body, required)])
        _declare(endpoint, allow)
        self.add_api_route(
            path,
            endpoint,
            methods=[method],
            status_code=status,
            operation_id=sending.operation_id,
            summary=_sentence(command),
            response_model=Accepted,
        )

    def query(self, path: str, answer: Callable[..., Any], *, allow: Allowed | None = None) -> None:
        """Let `GET path` run a query function.

        Its parameters are those of the path and of the query string; `viewer` is the caller.
        What it answers (`Select`, `Listing`, `Detail`) decides the form of the response. When
        all tables that it reads have history, it takes `as_of`.
        """
        hints = get_type_hints(answer, include_extras=True)
        named = inspect.signature(answer).parameters
        example = answer(**{name: _placeholder(hints[name]) for name in named})
        pages = isinstance(example, Listing)

        async def endpoint(response: Response, read: Read, **values: Any) -> Any:
            _drop_documented(values)
            paging = values.pop("paging", None)
            if "viewer" in named:
                values["viewer"] = read.viewer
            if allow and read.by.own_only:
                require_own(read.by, await _owner(allow, read, values))
            found = answer(**values)
            if isinstance(found, Listing):
                return await read.page(found, paging)
            row = await (read.detail(found) if isinstance(found, Detail) else read.one(found))
            if "version" in row:
                response.headers["ETag"] = f'"{row["version"]}"'
            return row

        parameters = [
            _parameter("response", Response),
            _parameter("read", Read),
            *(
                _parameter(name, hints[name], parameter.default)
                for name, parameter in named.items()
                if name != "viewer"
            ),
            _parameter(
                "documented_after", _header(AFTER, "wait for the position of a receipt", 1000)
            ),
        ]
        if has_past(example):
            parameters.append(_parameter("documented_as_of", _as_of()))
        if pages:
            parameters.append(_parameter("paging", Page))
        _give(endpoint, parameters)
        _declare(endpoint, allow)
        self.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            operation_id=answer.__name__,
            summary=_sentence(answer),
            response_model=answer_model(camel(answer.__name__), example),
        )


async def _owner(allowed: Allowed, read: Reader, values: Mapping[str, Any]) -> Any:
    """Return whose it is that is asked for; None when there is no such thing."""
    if allowed.owner is None or isinstance(allowed.owner, str):
        return values[str(allowed.owner)]
    asked = inspect.signature(allowed.owner).parameters
    return await read.owner(allowed.owner(**{name: values[name] for name in asked}))


def _of_any_command() -> list[inspect.Parameter]:
    return [
        _parameter("documented_key", _header(KEY, "makes repeating inert", MAX_KEY)),
        _parameter("documented_if_match", _header(IF_MATCH, 'the expected version, as "3"', 100)),
    ]


def _body_parameter(body: type[BaseModel], required: bool) -> inspect.Parameter:
    if required:
        return _parameter("body", Annotated[body, Body()])
    shown = bool(body.model_fields)
    return _parameter("body", Annotated[body | None, Body(include_in_schema=shown)], None)


def _documented(parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """Return an endpoint that is there for FastAPI to document; `api.sending` answers instead."""

    async def endpoint(**documented: Any) -> Accepted:
        raise NotImplementedError("`api.sending` answers commands")

    _give(endpoint, parameters)
    return endpoint


def _drop_documented(values: dict[str, Any]) -> None:
    """Some are parameters for the documentation's sake only: `api.ports` reads them itself."""
    for name in [name for name in values if name.startswith("documented_")]:
        del values[name]


def _body(
    command: type, fields: dict[str, dataclasses.Field[Any]], hints: dict[str, Any]
) -> type[BaseModel]:
    """Return the body's form; one without fields refuses what is sent all the same."""
    definitions: dict[str, Any] = {
        name: (hints[name], ... if field.default is dataclasses.MISSING else field.default)
        for name, field in fields.items()
    }
    return create_model(
        f"{command.__name__}Body", __config__=ConfigDict(extra="forbid"), **definitions
    )


def _placeholder(hint: Any) -> Any:
    """Return some value of a query parameter's type: the form of the answer does not depend on it.

    Query functions only compose a statement, so calling one has no effect.
    """
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return _placeholder(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    made: dict[Any, Any] = {UUID: UUID(int=0), datetime: datetime.min.replace(tzinfo=UTC)}
    return made[hint] if hint in made else hint()


def _parameter(name: str, hint: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def _header(name: str, description: str, longest: int) -> Any:
    return Annotated[str | None, Header(alias=name, description=description, max_length=longest)]


def _as_of() -> Any:
    """`Aorist-After` waits; this goes back."""
    return Annotated[
        str | None,
        Query(
            alias=AS_OF,
            description="as it was at a time (RFC 3339) or at a position of the context's log",
            max_length=MAX_AS_OF,
            examples=["2026-01-31T12:00:00Z", "1234"],
        ),
    ]


def _declare(endpoint: Callable[..., Any], allow: Allowed | None) -> None:
    endpoint.allowed = allow  # type: ignore[attr-defined]


def _give(endpoint: Callable[..., Any], parameters: list[inspect.Parameter]) -> None:
    with_defaults = [
        parameter.replace(default=None) if parameter.name.startswith("documented_") else parameter
        for parameter in parameters
    ]
    endpoint.__signature__ = inspect.Signature(with_defaults)  # type: ignore[attr-defined]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _sentence(thing: Any) -> str:
    return (inspect.getdoc(thing) or _snake(thing.__name__)).partition("\n")[0].rstrip(".")
