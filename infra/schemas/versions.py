"""The committed versions of every fact's schema: numbered, never changed, never taken back."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from infra.schemas.records import Schema

FOLDER = Path(__file__).parents[2] / "schemas"
SUFFIX = ".versions.jsonl"


class Broken(Exception):
    """The committed schemas contradict themselves or the code; the message says what to do."""


class Example(msgspec.Struct, frozen=True):
    """A fact as it was written in a version: in the log, and in Avro (base64 in the file)."""

    json: msgspec.Raw
    avro: bytes


class Version(msgspec.Struct, frozen=True):
    """One version of a fact's schema. A line in `schemas/<context>/<feature>.versions.jsonl`."""

    subject: str
    """The topic of the fact."""
    version: int
    """1, 2, 3 …"""
    id: int
    """What an encoded fact names it by; the same in every installation."""
    schema: dict[str, Any]
    """Without what it says to people; that is in the `.avsc` file and changes freely."""
    examples: tuple[Example, ...] = ()

    @property
    def text(self) -> str:
        """The schema as one line; the same text for the same schema."""
        return text_of(self.schema)


def text_of(schema: Schema) -> str:
    """Return a schema as one line of JSON."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def id_of(schema: Schema) -> int:
    """Return the id of a new schema: it follows from its text, so branches cannot disagree."""
    digest = hashlib.sha256(text_of(schema).encode()).digest()
    return int.from_bytes(digest[:4]) & 0x7FFF_FFFF


def feature_of(topic: str) -> tuple[str, str]:
    """Return context and feature of a topic: which file its schema is in."""
    context, feature, _ = topic.split(".")
    return context, feature


def path_of(folder: Path, topic: str, suffix: str = SUFFIX) -> Path:
    """Return the file that a topic's schemas are in."""
    context, feature = feature_of(topic)
    return folder / context / f"{feature}{suffix}"


class Versions:
    """All versions of all subjects. Raises `Broken` when they are not what was committed."""

    def __init__(self, versions: Iterable[Version]) -> None:
        self.by_subject: dict[str, list[Version]] = {}
        self.by_id: dict[int, Version] = {}
        for one in versions:
            self._add(one)

    def _add(self, one: Version) -> None:
        earlier = self.by_subject.setdefault(one.subject, [])
        if one.version != len(earlier) + 1:
            raise Broken(
                f"{one.subject} has version {one.version} after {len(earlier)}; "
                "restore its lines as they were committed, and generate again"
            )
        if one.id in self.by_id:
            raise Broken(
                f"{one.subject} and {self.by_id[one.id].subject} share the id {one.id}; "
                "change the newer one, such as by a further field"
            )
        if one.id != id_of(one.schema):
            raise Broken(
                f"{one.subject} {one.version} is not the schema that got the id {one.id}; "
                "restore its line as it was committed"
            )
        earlier.append(one)
        self.by_id[one.id] = one

    def __iter__(self) -> Iterator[Version]:
        for earlier in self.by_subject.values():
            yield from earlier

    def latest(self, subject: str) -> Version | None:
        """Return the newest version of a subject."""
        found = self.by_subject.get(subject)
        return found[-1] if found else None


def parsed(texts: Mapping[str, str]) -> Versions:
    """Return the versions that files hold, given their texts by name. Raises `Broken`."""
    found = []
    for name, text in sorted(texts.items()):
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                found.append(msgspec.json.decode(line, type=Version))
            except msgspec.DecodeError as error:
                raise Broken(f"{name}, line {number}: {error}") from error
    return Versions(found)


def committed(folder: Path = FOLDER) -> Versions:
    """Return the versions in the files of `schemas/`. Raises `Broken`."""
    return parsed(
        {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in folder.glob(f"*/*{SUFFIX}")
        }
    )
