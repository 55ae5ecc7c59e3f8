"""A file of commands, one a line: read in bounded pieces, each line checked before it is sent.

A line is a JSON object:

    {"command": "RequestTransfer",   a command's name, or `banking.RequestTransfer`
     "fields": {…},                  its fields, as in the body of an HTTP request
     "context": "banking",           only needed when two contexts have a command of that name
     "actor": "…",                   who sends it; else the one given for the whole file
     "key": "…",                     its idempotency key
     "id": "…",                      the line's own id: it is the key when no key is given
     "reason": "…"}                  why, for the audit trail

Without key and id, the key is made of the line's number and a digest of its text. So a file that is
run again changes nothing, whichever of its lines were done before; lines may be added at its end.
Empty lines are passed over.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from typing import Any, BinaryIO
from uuid import UUID

import msgspec
from pydantic import TypeAdapter, ValidationError

from commands import Caller
from domain import is_process
from infra.discovery import Features, Handling
from infra.dispatch import MAX_KEY

CHUNK_BYTES = 256 * 1024
"""Read from the file at once."""
MAX_ACTOR = 200
MAX_REASON = 1_000
MAX_SHOWN = 100
"""Characters of a wrong value that a message repeats."""
MAX_ERRORS = 5
"""Wrong fields that a message names."""


class BrokenLine(Exception):
    """A line cannot be sent as a command: not JSON, an unknown command, a wrong field."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"line {number}: {problem}")
        self.number = number
        self.problem = problem


class _Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line as it is written."""

    command: str
    fields: msgspec.Raw = msgspec.Raw(b"{}")
    context: str | None = None
    actor: str | None = None
    key: str | None = None
    id: str | None = None
    reason: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line's command, ready to be sent."""

    number: int
    name: str
    command: Any
    by: Caller
    key: str
    ids: frozenset[UUID]
    """Every id the line names, its actor's too: what it may read or change."""
    end: int
    """Bytes of the file up to the end of the line."""


class CommandFile:
    """Reads and checks a file's lines, in order."""

    def __init__(
        self,
        file: BinaryIO,
        features: Features,
        *,
        actor: str,
        line_bytes: int,
        contexts: Container[str],
    ) -> None:
        self._file = file
        self._features = features
        self._actor = actor
        self._line_bytes = line_bytes
        self._contexts = contexts
        self._known: dict[tuple[str, str | None], tuple[Handling, TypeAdapter[Any]]] = {}

    async def pages(self) -> AsyncIterator[list[Line]]:
        """Yield the lines in lists, as they come in.

        Raises `BrokenLine` at the first that cannot be sent, when those before it are yielded.
        """
        number, end, rest = 0, 0, b""
        while True:
            chunk = await asyncio.to_thread(_read, self._file)
            *texts, rest = (rest + chunk).split(b"\n") if chunk else (rest, b"")
            lines: list[Line] = []
            try:
                for text in texts:
                    number, end = number + 1, end + len(text) + 1
                    if text.strip():
                        lines.append(self._line(number, end, text))
                if len(rest) > self._line_bytes:
                    raise self._too_long(number + 1)
            except BrokenLine:
                yield lines
                raise
            yield lines
            if not chunk:
                return

    def _too_long(self, number: int) -> BrokenLine:
        return BrokenLine(number, f"it is longer than {self._line_bytes} bytes (body_bytes)")

    def _line(self, number: int, end: int, text: bytes) -> Line:
        if len(text) > self._line_bytes:
            raise self._too_long(number)
        form = _form(number, text)
        handling, adapter = self._command(number, form)
        try:
            command = adapter.validate_json(bytes(form.fields))
        except ValidationError as error:
            raise BrokenLine(number, f"{form.command}: {_fields(error)}") from error
        by = Caller(actor=self._actor_of(number, form), reason=form.reason)
        ids = set(_ids(command))
        if by.user:
            ids.add(by.user)
        return Line(
            number=number,
            name=handling.name,
            command=command,
            by=by,
            key=_key(number, form, text),
            ids=frozenset(ids),
            end=end,
        )

    def _command(self, number: int, form: _Form) -> tuple[Handling, TypeAdapter[Any]]:
        name = (form.command, form.context)
        if name not in self._known:
            try:
                handling = self._features.command(*name)
            except LookupError as error:
                raise BrokenLine(number, str(error.args[0])) from error
            if handling.context not in self._contexts:
                raise BrokenLine(
                    number, f"{handling.name} is of a context that this run leaves out (--context)"
                )
            self._known[name] = handling, TypeAdapter(handling.command)
        return self._known[name]

    def _actor_of(self, number: int, form: _Form) -> str:
        actor = self._actor if form.actor is None else form.actor
        if not actor or len(actor) > MAX_ACTOR or not actor.isprintable():
            raise BrokenLine(number, f"actor must be 1 to {MAX_ACTOR} printable characters")
        if is_process(actor):
            raise BrokenLine(number, f"actor {actor!r} is a process's name; give another")
        if form.reason is not None and len(form.reason) > MAX_REASON:
            raise BrokenLine(number, f"reason is longer than {MAX_REASON} characters")
        return actor


def _read(file: BinaryIO) -> bytes:
    # One system call's worth: a pipe's lines are handled when they come, not when it is full.
    return file.read1(CHUNK_BYTES) if hasattr(file, "read1") else file.read(CHUNK_BYTES)


def _form(number: int, text: bytes) -> _Form:
    try:
        text.decode("utf-8")
        return _decode(text)
    except UnicodeDecodeError as error:
        byte = text[error.start : error.start + 1].hex()
        problem = f"it is not UTF-8: byte {error.start + 1} is 0x{byte}"
    except msgspec.ValidationError as error:
        problem = str(error)
    except (msgspec.DecodeError, RecursionError) as error:
        problem = f"it is not JSON: {error}"
    raise BrokenLine(number, problem)


_decode = msgspec.json.Decoder(_Form).decode


def _key(number: int, form: _Form, text: bytes) -> str:
    key = form.id if form.key is None else form.key
    if key is None:
        digest = hashlib.blake2b(text.strip(), digest_size=16).hexdigest()
        return f"line:{number}:{digest}"
    if not key or len(key) > MAX_KEY or not key.isprintable():
        raise BrokenLine(number, f"key must be 1 to {MAX_KEY} printable characters")
    return key


def _ids(value: Any) -> Iterator[UUID]:
    """Yield the ids in a command, those in its parts too."""
    if isinstance(value, UUID):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _ids(item)
    elif isinstance(value, Mapping):
        yield from _ids(tuple(value.values()))
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from _ids(getattr(value, name))


def _fields(error: ValidationError) -> str:
    problems = []
    for one in error.errors()[:MAX_ERRORS]:
        name = ".".join(str(part) for part in one["loc"])
        if one["type"] == "json_invalid":
            problems.append(f"fields are not JSON: {one['msg']}")
        elif one["type"] == "missing":
            problems.append(f"{name} is missing")
        else:
            shown = repr(one["input"])
            cut = shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…"
            problems.append(f"{name}: {one['msg']}, got {cut}")
    return "; ".join(problems)
