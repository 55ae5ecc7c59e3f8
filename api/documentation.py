"""The OpenAPI document: what FastAPI knows, with every error a route can give, and examples."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.ports import BASE
from api.problems import Problem

REFERENCE = "#/components/schemas/"
EXAMPLES: dict[str, Any] = {
    "uuid": "01900000-0000-7000-8000-000000000001",
    "date-time": "2026-01-31T12:00:00Z",
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": False,
}
"""By the format or the type of a value."""
ERRORS: dict[int, tuple[str, str]] = {
    401: ("unauthenticated", "nobody says who is calling"),
    403: ("forbidden", "not allowed"),
    404: ("not_found", "not found, or its existence is private"),
    408: ("too_slow_a_client", "the head or the body took too long to come"),
    409: ("in_flight", "a rule of the state refuses it, and `code` names the rule; or in flight"),
    412: ("version_moved", "the version has moved (`If-Match`)"),
    413: ("too_large", "the body is too large"),
    414: ("target_too_long", "the path and its query are too long"),
    415: ("compressed_body", "the body is compressed"),
    422: ("invalid", "malformed or invalid, or a key that was used for another command"),
    429: ("too_many_requests", "too many requests or tries; try again after `Retry-After`"),
    431: ("head_too_large", "the headers are too many or too large"),
    500: ("unexpected", "a fault of the server; its log has it under the correlation id"),
    503: (
        "unavailable",
        "the store is away or behind, or it took too long; try again after `Retry-After`",
    ),
}
HEADERS = {
    "RateLimit-Policy": ("requests of a caller: q in w seconds", '"requests";q=6000;w=60'),
    "RateLimit": ("of those, r are left; there are more in t seconds", '"requests";r=5999;t=1'),
}
"""Of every answer to a request that is counted."""
ANY = (401, 403, 404, 408, 413, 414, 415, 422, 429, 431, 500, 503)
WRITING = (409, 412)


def documented(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the app; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            openapi_version=app.openapi_version,
            description=app.description,
            routes=app.routes,
        )
        schemas = document["components"]["schemas"]
        _, definitions = models_json_schema(
            [(Problem, "serialization")], ref_template=REFERENCE + "{model}"
        )
        schemas.update(definitions["$defs"])
        document["components"]["headers"] = {
            name: {"description": told, "schema": {"type": "string"}, "example": example}
            for name, (told, example) in HEADERS.items()
        }
        document["components"]["responses"] = {str(status): _problem(status) for status in ERRORS}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if path.startswith(BASE):
                    for status in sorted((*ANY, *WRITING) if method != "get" else ANY):
                        reference = {"$ref": f"#/components/responses/{status}"}
                        operation["responses"][str(status)] = reference
                    for answer in operation["responses"].values():
                        if "$ref" not in answer:
                            answer["headers"] = _references("headers", HEADERS)
                elif path == "/readyz":
                    operation["responses"]["503"] = operation["responses"]["200"]
                _tidy_body(operation, schemas)
                _add_examples(operation, schemas)
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema


def _problem(status: int) -> dict[str, Any]:
    code, text = ERRORS[status]
    example = {
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": text,
        "instance": BASE + "/…",
        "code": code,
        "correlation_id": EXAMPLES["uuid"],
    }
    content = {"schema": {"$ref": REFERENCE + "Problem"}, "example": example}
    answer: dict[str, Any] = {
        "description": text,
        "content": {"application/problem+json": content},
    }
    if status != 408:  # it never was a request
        answer["headers"] = _references("headers", HEADERS)
    if status in (429, 503):
        answer["headers"]["Retry-After"] = {
            "description": "seconds to wait",
            "schema": {"type": "integer"},
        }
    return answer


def _references(kind: str, names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/{kind}/{name}"} for name in names}


def _tidy_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A body that may be left out is documented as such; one without fields is none."""
    body = operation.get("requestBody")
    if not body:
        return
    content = body["content"]["application/json"]
    if "anyOf" in content["schema"]:
        content["schema"] = content["schema"]["anyOf"][0]
        body["required"] = False
    name = content["schema"]["$ref"].removeprefix(REFERENCE)
    if not schemas[name].get("properties"):
        del operation["requestBody"], schemas[name]


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    for answer in (operation.get("requestBody", {}), *operation["responses"].values()):
        content = answer.get("content", {}).get("application/json")
        if content and content.get("schema") and "example" not in content:
            content["example"] = example_of(content["schema"], schemas, "value")


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str) -> Any:
    """Return a value of a schema; texts say which field they are the value of."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(REFERENCE)], schemas, name)
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    if "const" in schema:
        return schema["const"]
    for either in ("anyOf", "oneOf"):
        if either in schema:
            return example_of(schema[either][0], schemas, name)
    kind = str(schema.get("type", ""))
    if kind == "object":
        fields = schema.get("properties", {})
        return {field: example_of(form, schemas, field) for field, form in fields.items()}
    if kind == "array":
        items = schema.get("items") or {}
        return [example_of(items, schemas, name)] * max(1, schema.get("minItems", 1))
    if kind == "string" and "format" not in schema:
        return name[: schema.get("maxLength", len(name))]
    return EXAMPLES.get(schema.get("format", kind), EXAMPLES["string"] if kind else {})
