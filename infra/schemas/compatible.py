"""Whether facts written with one schema are read with another, in both directions."""

from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from infra.schemas.records import Schema
from infra.schemas.versions import Version, text_of

LOGICAL = ("logicalType", "precision", "scale")
"""What gives the same bytes another meaning. Avro's own rules do not look at it."""


def differences(old: Version, new: Version) -> list[str]:
    """Return why facts of two versions cannot be read with each other; nothing when they can."""
    found = []
    for reader, writer in ((new, old), (old, new)):
        checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
        told = checker.get_compatibility(parse(reader.text), parse(writer.text))
        if told.compatibility is not SchemaCompatibilityType.compatible:
            reasons = "; ".join(sorted(told.messages)) or "they do not match"
            found.append(
                f"{new.subject}: version {reader.version} cannot read what version "
                f"{writer.version} wrote: {reasons}"
            )
    meanings = _meanings(old.schema, new.schema, old.subject)
    return found + [f"{line} (versions {old.version} and {new.version})" for line in meanings]


def _meanings(old: Schema, new: Schema, path: str) -> list[str]:
    """Return where two schemas read the same bytes as different things."""
    if isinstance(old, list) and isinstance(new, list):
        others = {_kind(branch): branch for branch in new}
        return [
            line
            for branch in old
            if _kind(branch) in others
            for line in _meanings(branch, others[_kind(branch)], path)
        ]
    if isinstance(old, list) or isinstance(new, list):
        many, one = (old, new) if isinstance(old, list) else (new, old)
        same = [branch for branch in many if _kind(branch) == _kind(one)]
        return _meanings(same[0], one, path) if same else []
    found = []
    if _logical(old) != _logical(new):
        found.append(f"{path}: {text_of(old)} became {text_of(new)}, which means something else")
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in ("items", "values"):
            if inner in old and inner in new:
                found += _meanings(old[inner], new[inner], path)
        fields = {field["name"]: field for field in new.get("fields", ())}
        for field in old.get("fields", ()):
            if field["name"] in fields:
                place = f"{path}.{field['name']}"
                found += _meanings(field["type"], fields[field["name"]]["type"], place)
    return found


def _kind(schema: Schema) -> Any:
    return schema["type"] if isinstance(schema, dict) else schema


def _logical(schema: Schema) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    return {word: schema[word] for word in LOGICAL if word in schema}
