"""Examples of a fact: the least that it can say, and everything that it can say."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import inspect

from domain import Event
from infra.schemas.binary import Writer
from infra.schemas.records import SEQUENCES, Schema
from infra.schemas.versions import Example

SOME_TIME = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
SOME_NUMBER = 1250
ITEMS = 2


def examples_of(fact: type[Event], schema: Schema) -> tuple[Example, ...]:
    """Return the least and the fullest example of a fact; one when they are the same."""
    write = Writer(schema)
    facts = [made(fact, full=False), made(fact, full=True)]
    return tuple(
        Example(msgspec.Raw(msgspec.json.encode(one)), write(one))
        for one in (facts if facts[0] != facts[1] else facts[:1])
    )


def made(fact: type[Event], *, full: bool) -> Event:
    """Return a fact with the same values every time; defaults are left out unless it is full."""
    values = _struct(inspect.type_info(fact), fact.TOPIC, full)
    return msgspec.convert(values, fact)


def _struct(struct: Any, path: str, full: bool) -> dict[str, object]:
    tag = {struct.tag_field: struct.tag} if struct.tag_field else {}
    return tag | {
        field.encode_name: _value(field.type, f"{path}.{field.encode_name}", full)
        for field in struct.fields
        if full or field.required
    }


def _value(kind: Any, path: str, full: bool) -> object:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    match kind:
        case inspect.UnionType():
            if kind.includes_none and not full:
                return None
            kinds = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
            return _value(kinds[-1], path, full)
        case inspect.StructType():
            return _struct(kind, path, full)
        case inspect.DictType():
            key = _value(kind.key_type, f"{path}.key", full)
            return {key: _value(kind.value_type, path, full)} if full else {}
        case inspect.EnumType():
            return list(kind.cls)[-1 if full else 0].value
        case inspect.LiteralType():
            return list(kind.values)[-1 if full else 0]
        case inspect.IntType():
            least = kind.ge if kind.ge is not None else (kind.gt or -SOME_NUMBER - 1) + 1
            return min(SOME_NUMBER, kind.le or SOME_NUMBER) if full else least
    if isinstance(kind, SEQUENCES):
        return [_value(kind.item_type, f"{path}.{n}", full) for n in range(ITEMS)] if full else []
    return _plain(kind, path, full)


def _plain(kind: Any, path: str, full: bool) -> object:
    name = path.rpartition(".")[2]
    plain: dict[type, tuple[object, object]] = {
        inspect.BoolType: (False, True),
        inspect.StrType: ("", f"{name} · čtyři 四"),
        inspect.BytesType: (b"", name.encode()),
        inspect.UUIDType: (uuid5(NAMESPACE_URL, path), uuid5(NAMESPACE_URL, f"{path}.full")),
        inspect.DateTimeType: (datetime(1970, 1, 1, tzinfo=UTC), SOME_TIME),
        inspect.DateType: (date(1970, 1, 1), SOME_TIME.date()),
        inspect.TimeType: (time(), SOME_TIME.time()),
        inspect.DecimalType: (Decimal(0), Decimal("12.5")),
    }
    return plain[type(kind)][full]
