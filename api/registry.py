"""The facts' schemas, as a schema registry serves them: what Confluent's clients ask for.

Statuses, error codes and the media type are those of Confluent's REST interface, so errors here
are no problem answers. Nothing can be written: schemas come with the code.
"""

import json
from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.permissions import EVERYONE, allow
from infra.schemas.records import without_docs
from infra.schemas.versions import Version, Versions, committed

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
SUBJECT_UNKNOWN, VERSION_UNKNOWN, SCHEMA_UNKNOWN = 40401, 40402, 40403
SCHEMA_WRONG, VERSION_WRONG, READ_ONLY = 42201, 42202, 42205
LATEST = ("latest", "-1")
MAX_DIGITS = 10

routes = APIRouter(include_in_schema=False)


@cache
def versions() -> Versions:
    """Return the committed schemas. They do not change while a program runs."""
    return committed()


class Shown(msgspec.Struct, rename={"text": "schema"}):
    """A version as a registry shows it."""

    subject: str
    version: int
    id: int
    text: str


class Asked(msgspec.Struct):
    """A schema that somebody has, as text."""

    schema: str


def _answer(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type=MEDIA_TYPE)


def _error(code: int, message: str) -> Response:
    body = msgspec.json.encode({"error_code": code, "message": message})
    return Response(body, code // 100, media_type=MEDIA_TYPE)


def _shown(one: Version) -> Shown:
    return Shown(one.subject, one.version, one.id, one.text)


@routes.get("/subjects", operation_id="registry_subjects")
@allow(EVERYONE)
async def subjects() -> Response:
    """List the topics of all facts."""
    return _answer(sorted(versions().by_subject))


@routes.get("/subjects/{subject}/versions", operation_id="registry_versions")
@allow(EVERYONE)
async def subject_versions(subject: str) -> Response:
    """List the numbers of a subject's versions."""
    found = versions().by_subject.get(subject)
    return _answer([one.version for one in found]) if found else _no_subject(subject)


@routes.get("/subjects/{subject}/versions/{version}", operation_id="registry_version")
@allow(EVERYONE)
async def subject_version(subject: str, version: str) -> Response:
    """Show a version, or the `latest`."""
    found = _find(subject, version)
    return found if isinstance(found, Response) else _answer(_shown(found))


@routes.get("/subjects/{subject}/versions/{version}/schema", operation_id="registry_version_text")
@allow(EVERYONE)
async def subject_version_schema(subject: str, version: str) -> Response:
    """Show the schema of a version, bare."""
    found = _find(subject, version)
    return found if isinstance(found, Response) else _answer(found.schema)


@routes.get("/schemas/ids/{id}", operation_id="registry_schema")
@allow(EVERYONE)
async def schema(id: str) -> Response:
    """Show the schema that encoded facts name by an id."""
    found = _by_id(id)
    return _answer({"schema": found.text}) if found else _no_schema(id)


@routes.get("/schemas/ids/{id}/schema", operation_id="registry_schema_text")
@allow(EVERYONE)
async def schema_text(id: str) -> Response:
    """Show the schema of an id, bare."""
    found = _by_id(id)
    return _answer(found.schema) if found else _no_schema(id)


@routes.get("/schemas/ids/{id}/versions", operation_id="registry_schema_versions")
@allow(EVERYONE)
async def schema_versions(id: str) -> Response:
    """Say which subject's which version has an id: one, here."""
    found = _by_id(id)
    if found is None:
        return _no_schema(id)
    return _answer([{"subject": found.subject, "version": found.version}])


@routes.get("/schemas/types", operation_id="registry_types")
@allow(EVERYONE)
async def types() -> Response:
    """Say which languages schemas are written in."""
    return _answer(["AVRO"])


@routes.get("/config", operation_id="registry_config")
@allow(EVERYONE)
async def config() -> Response:
    """Say which changes are allowed: those that every version reads, in both directions."""
    return _answer({"compatibilityLevel": "FULL_TRANSITIVE"})


@routes.post("/subjects/{subject}", operation_id="registry_look_up")
@allow(EVERYONE)
async def look_up(subject: str, request: Request) -> Response:
    """Find the version that a schema is of."""
    found = await _same(subject, request)
    return found if isinstance(found, Response) else _answer(_shown(found))


@routes.post("/subjects/{subject}/versions", operation_id="registry_register")
@allow(EVERYONE)
async def register(subject: str, request: Request) -> Response:
    """Return the id of a schema that is known; others are refused."""
    found = await _same(subject, request)
    if isinstance(found, Version):
        return _answer({"id": found.id})
    if found.status_code == SCHEMA_WRONG // 100:
        return found
    return _error(READ_ONLY, "schemas come with the code of Aorist; none can be registered")


def _by_id(id: str) -> Version | None:
    return versions().by_id.get(int(id)) if _is_number(id) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def _find(subject: str, version: str) -> Version | Response:
    found = versions().by_subject.get(subject)
    if version not in LATEST and (not _is_number(version) or int(version) < 1):
        return _error(VERSION_WRONG, f"{version!r} is no version; name 1, 2, 3 … or latest")
    if found is None:
        return _no_subject(subject)
    number = len(found) if version in LATEST else int(version)
    if number > len(found):
        return _error(VERSION_UNKNOWN, f"{subject} has {len(found)} versions, not {number}")
    return found[number - 1]


async def _same(subject: str, request: Request) -> Version | Response:
    try:
        asked = msgspec.json.decode(await request.body(), type=Asked)
        wanted: Any = without_docs(json.loads(asked.schema))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return _error(SCHEMA_WRONG, f"the body holds no Avro schema: {error}")
    found = versions().by_subject.get(subject)
    if found is None:
        return _no_subject(subject)
    same = [one for one in found if one.schema == wanted]
    return same[0] if same else _error(SCHEMA_UNKNOWN, f"{subject} has no such schema")


def _no_subject(subject: str) -> Response:
    return _error(SUBJECT_UNKNOWN, f"no fact has the topic {subject!r}")


def _no_schema(id: str) -> Response:
    return _error(SCHEMA_UNKNOWN, f"no schema has the id {id!r}")
