"""Which changes of a fact leave every reader and every old fact well; the others are refused."""

import re
from io import BytesIO
from typing import Any

import fastavro
import pytest

from infra.schemas.compatible import differences
from infra.schemas.versions import Version, id_of

TIME = {"type": "long", "logicalType": "timestamp-micros"}
UUID_TYPE = {"type": "string", "logicalType": "uuid"}
Field = dict[str, Any]


def decimal(precision: int, scale: int) -> Field:
    return {
        "type": "bytes",
        "logicalType": "decimal",
        "precision": precision,
        "scale": scale,
    }


def inner(*fields: Field) -> Field:
    return {"type": "record", "name": "done__inner", "fields": list(fields)}


def one(kind: Any, name: str = "x", **more: object) -> Field:
    return {"name": name, "type": kind, **more}


def version(number: int, *fields: Field) -> Version:
    schema = {
        "type": "record",
        "name": "done",
        "namespace": "tests.thing",
        "fields": list(fields),
    }
    return Version("tests.thing.done", number, id_of(schema), schema)


KEPT = one("string", "kept")
ALLOWED = {
    "a field with a default": ([], [one("long", default=0)]),
    "an optional field": ([], [one(["null", TIME], default=None)]),
    "a field with a default goes": ([one("long", default=0)], []),
    "another default": ([one("long", default=0)], [one("long", default=1)]),
    "another order": ([one("long"), KEPT], [KEPT, one("long")]),
    "a field inside, with a default": (
        [one(inner(one("long", "a")))],
        [one(inner(one("long", "a"), one("string", "b", default="")))],
    ),
    "a mark": ([one("string")], [one("string", personal=True)]),
}
REFUSED = {
    "a field without a default": ([], [one("long")], "version 2 cannot read"),
    "a field without a default goes": ([one("long")], [], "version 1 cannot read"),
    "another type": ([one("long")], [one("string")], "cannot read"),
    "only promoted": ([one("int")], [one("long")], "version 1 cannot read what version 2 wrote"),
    "optional from now on": ([one("string")], [one(["null", "string"])], "cannot read"),
    "another scale": ([one(decimal(9, 2))], [one(decimal(9, 3))], r"tests.thing.done.x.*means"),
    "another precision": ([one(decimal(9, 2))], [one(decimal(12, 2))], "means something else"),
    "a time that was a number": ([one("long")], [one(TIME)], "means something else"),
    "a name that was an id": ([one(UUID_TYPE)], [one("string")], "means something else"),
    "another scale inside": (
        [one({"type": "array", "items": inner(one(["null", decimal(9, 2)]))})],
        [one({"type": "array", "items": inner(one(["null", decimal(9, 3)]))})],
        r"tests.thing.done.x.x.*means something else",
    ),
    "another scale in a map": (
        [one({"type": "map", "values": decimal(9, 2)})],
        [one({"type": "map", "values": decimal(9, 3)})],
        "means something else",
    ),
    "a further member of a closed set": (
        [one({"type": "enum", "name": "done__x", "symbols": ["a"]})],
        [one({"type": "enum", "name": "done__x", "symbols": ["a", "b"]})],
        "version 1 cannot read",
    ),
}


@pytest.mark.parametrize("change", ALLOWED)
def test_a_change_that_everybody_can_read_is_allowed(change: str) -> None:
    before, after = ALLOWED[change]
    assert differences(version(1, *before), version(2, *after)) == []


@pytest.mark.parametrize("change", REFUSED)
def test_a_change_that_somebody_cannot_read_is_refused(change: str) -> None:
    before, after, said = REFUSED[change]
    found = differences(version(1, *before), version(2, *after))
    assert found
    assert any(re.search(said, line) for line in found), found


VALUES: dict[str, Any] = {
    "a field with a default": ({}, {"x": 5}),
    "an optional field": ({}, {"x": None}),
    "a field with a default goes": ({"x": 5}, {}),
    "a field inside, with a default": ({"x": {"a": 1}}, {"x": {"a": 1, "b": "b"}}),
}


@pytest.mark.parametrize("change", VALUES)
def test_what_is_allowed_is_really_read_in_both_directions(change: str) -> None:
    before, after = ALLOWED[change]
    schemas = [version(n, KEPT, *f).schema for n, f in ((1, before), (2, after))]
    for writer, reader, value in zip(schemas, reversed(schemas), VALUES[change], strict=True):
        data = BytesIO()
        fastavro.schemaless_writer(data, writer, {"kept": "kept", **value})
        read: Any = fastavro.schemaless_reader(BytesIO(data.getvalue()), writer, reader)
        assert read["kept"] == "kept"
