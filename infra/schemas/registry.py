"""A schema registry of others, by the REST interface of Confluent's: it gives schemas their ids."""

import base64
from contextlib import closing
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from infra.schemas.records import Schema
from infra.schemas.versions import Version

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
ANSWER_S = 5.0
"""How long it may take to answer."""
MAX_BYTES = 4_000_000
"""Of an answer."""
OK, NOT_FOUND = 200, 404


class RegistryFails(Exception):
    """A registry does not answer, or refuses; the message says which and why."""


class Registry:
    """Asks one registry. Every call may wait `ANSWER_S` and raise `RegistryFails`."""

    def __init__(self, url: str) -> None:
        """`url` is http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH]."""
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connect = partial(kind, parts.hostname or "", parts.port, timeout=ANSWER_S)
        self._path = parts.path.rstrip("/")
        self._headers = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
        if parts.username:
            said = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(said).decode()}"
        self._name = f"schema registry {parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def id_of(self, version: Version) -> int:
        """Return the id of a schema under its subject; it is registered where it is not known."""
        subject = f"/subjects/{quote(version.subject, safe='')}"
        body = msgspec.json.encode({"schema": version.text})
        status, told = self._ask("POST", subject, body)
        if status == NOT_FOUND:
            status, told = self._ask("POST", f"{subject}/versions", body)
        if status != OK or not isinstance(told.get("id"), int):
            raise RegistryFails(f"{self._name} refuses {version.subject}: {_said(status, told)}")
        return int(told["id"])

    def schema(self, id: int) -> Schema | None:
        """Return the schema of an id; None when it knows none."""
        status, told = self._ask("GET", f"/schemas/ids/{id}", None)
        if status == NOT_FOUND:
            return None
        try:
            if status == OK:
                return msgspec.json.decode(told["schema"])
        except (KeyError, TypeError, msgspec.DecodeError) as error:
            raise RegistryFails(f"{self._name}: schema {id} is none: {error}") from error
        raise RegistryFails(f"{self._name} refuses schema {id}: {_said(status, told)}")

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, dict[str, Any]]:
        # A connection for each question: they are few, and all at the start.
        try:
            with closing(self._connect()) as connection:
                connection.request(method, self._path + path, body, self._headers)
                answer = connection.getresponse()
                content = answer.read(MAX_BYTES)
        except (OSError, HTTPException) as error:
            told = f"{type(error).__name__}: {error}"
            raise RegistryFails(f"{self._name} does not answer: {told}") from error
        try:
            told_json = msgspec.json.decode(content)
        except msgspec.DecodeError:
            told_json = None
        return answer.status, told_json if isinstance(told_json, dict) else {}


def _said(status: int, told: dict[str, Any]) -> str:
    return f"{status} {told.get('message') or told.get('error_code') or ''}".rstrip()
