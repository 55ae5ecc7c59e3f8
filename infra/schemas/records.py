"""From a fact class to its Avro record: the names come from its topic, never from the class."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from msgspec import NODEFAULT, inspect, to_builtins

from domain import Event
from infra.schemas.docs import class_doc, field_docs

Schema = Any
"""An Avro schema as JSON: a name, an object, or a list for a union."""

PLAIN: Mapping[type, Schema] = {
    inspect.BoolType: "boolean",
    inspect.IntType: "long",
    inspect.StrType: "string",
    inspect.BytesType: "bytes",
    inspect.UUIDType: {"type": "string", "logicalType": "uuid"},
    inspect.DateTimeType: {"type": "long", "logicalType": "timestamp-micros"},
    inspect.DateType: {"type": "int", "logicalType": "date"},
    inspect.TimeType: {"type": "long", "logicalType": "time-micros"},
}
SEQUENCES = (
    *(inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType),
    inspect.CollectionType,
)
DECIMAL = ("precision", "scale")
RESERVED = frozenset(("name", "type", "doc", "default", "order", "aliases"))
NULL = "null"
SOMETHING: Schema = {
    "name": "happened",
    "type": "boolean",
    "doc": "Always true: some clients take a value of no bytes for a fault.",
    "default": True,
}
"""The field of a fact that has none of its own."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Inexpressible(Exception):
    """A fact has a field that its schema cannot say; the message names it and what to do."""


def record_of(fact: type[Event]) -> dict[str, Schema]:
    """Return the Avro record of a fact; its full name is the topic. Raises `Inexpressible`.

    A struct inside it is a record of its own, named for the path of fields that leads to it:
    `commerce.order.placed__address`. So no two facts share a type, and a class may be renamed.
    """
    namespace, _, name = fact.TOPIC.rpartition(".")
    made = _Maker(fact.TOPIC, set()).record(inspect.type_info(fact), name)
    if not made["fields"]:
        made["fields"] = [SOMETHING]
    return {"type": "record", "name": name, "namespace": namespace, **made}


def without_docs(schema: Schema) -> Schema:
    """Return a schema as it is told apart from others: what it says to people does not count."""
    if isinstance(schema, list):
        return [without_docs(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key == "default" else without_docs(value)
        for key, value in schema.items()
        if key != "doc"
    }


class _Maker:
    """Makes the types of one fact, and sees that no name is given twice."""

    def __init__(self, topic: str, names: set[str]) -> None:
        self._topic = topic
        self._names = names
        self._within: list[type] = []

    def record(self, struct: Any, name: str) -> dict[str, Schema]:
        """Return what follows the name of a record."""
        if name in self._names:
            raise self._problem(name, "two types would have this name", "rename a field")
        if struct.cls in self._within:
            raise self._problem(name, "it contains itself", "name what is inside by its id")
        self._names.add(name)
        self._within.append(struct.cls)
        docs = field_docs(struct.cls)
        fields = [self._tag(struct, name)] if struct.tag_field else []
        fields += [self._field(one, f"{name}__{one.encode_name}", docs) for one in struct.fields]
        self._within.pop()
        doc = class_doc(struct.cls)
        return ({"doc": doc} if doc else {}) | {"fields": fields}

    def _tag(self, struct: Any, name: str) -> dict[str, Schema]:
        """Return the field that tells the members of a union apart, as it is in JSON."""
        only = {"type": "enum", "name": f"{name}__{struct.tag_field}", "symbols": [struct.tag]}
        return {"name": struct.tag_field, "type": only, "default": struct.tag}

    def _field(self, field: Any, path: str, docs: Mapping[str, str]) -> dict[str, Schema]:
        kind, props = _unwrapped(field.type)
        if found := RESERVED & props.keys():
            raise self._problem(path, f"its extra says {min(found)!r}", "choose another name")
        schema = self.type(field.type, path)
        made = {"name": field.encode_name, "type": schema}
        if field.name in docs:
            made["doc"] = docs[field.name]
        if not field.required:
            made["type"], made["default"] = _defaulted(schema, kind, _default(field))
        return made | {key: value for key, value in props.items() if key not in DECIMAL}

    def type(self, kind: Any, path: str) -> Schema:
        """Return the Avro type for a field's type."""
        kind, props = _unwrapped(kind)
        if type(kind) in PLAIN:
            return PLAIN[type(kind)]
        if isinstance(kind, inspect.DecimalType):
            if not all(isinstance(props.get(word), int) for word in DECIMAL):
                raise self._problem(
                    path,
                    "a decimal needs its precision and its scale",
                    "Annotated[Decimal, Meta(extra={'precision': 18, 'scale': 6})]",
                )
            return {"type": "bytes", "logicalType": "decimal"} | {w: props[w] for w in DECIMAL}
        if isinstance(kind, SEQUENCES):
            return {"type": "array", "items": self.type(kind.item_type, path)}
        if isinstance(kind, inspect.DictType):
            if not isinstance(_unwrapped(kind.key_type)[0], inspect.StrType):
                raise self._problem(path, "its keys are no text", "str for its keys")
            return {"type": "map", "values": self.type(kind.value_type, path)}
        return self._named(kind, path)

    def _named(self, kind: Any, path: str) -> Schema:
        name = path
        if isinstance(kind, inspect.StructType):
            return {"type": "record", "name": name, **self.record(kind, name)}
        if isinstance(kind, inspect.UnionType):
            return self._union(kind, path)
        symbols = None
        if isinstance(kind, inspect.EnumType):
            symbols = [member.value for member in kind.cls]
        if isinstance(kind, inspect.LiteralType):
            symbols = sorted(kind.values, key=str)
        if symbols and all(isinstance(word, str) and word.isidentifier() for word in symbols):
            return {"type": "enum", "name": name, "symbols": symbols}
        raise self._problem(
            path, f"{type(kind).__name__} has no form in a schema", "an int with its unit in name"
        )

    def _union(self, union: Any, path: str) -> list[Schema]:
        kinds = [_unwrapped(one)[0] for one in union.types]
        structs = [one for one in kinds if isinstance(one, inspect.StructType)]
        if len(structs) > 1 and not all(struct.tag_field for struct in structs):
            raise self._problem(path, "its structs cannot be told apart", "tag=True for them")
        branches: list[Schema] = [NULL] if union.includes_none else []
        for one in kinds:
            if isinstance(one, inspect.StructType) and len(structs) > 1:
                branches.append(self._named(one, f"{path}__{one.tag}"))
            elif not isinstance(one, inspect.NoneType):
                branches.append(self.type(one, path))
        written = [
            branch["type"] if isinstance(branch, dict) else branch
            for branch in branches
            if not (isinstance(branch, dict) and "name" in branch)
        ]
        if len(written) > len(set(written)):
            raise self._problem(path, "two of its types are one in Avro", "one type")
        return branches

    def _problem(self, path: str, what: str, instead: str) -> Inexpressible:
        return Inexpressible(f"{self._topic}: {path}: {what}. Instead: {instead}.")


def _unwrapped(kind: Any) -> tuple[Any, dict[str, Any]]:
    """Return a type without what is said about it, and what the `extra` of that says."""
    props: dict[str, Any] = {}
    while isinstance(kind, inspect.Metadata):
        props = {**(kind.extra or {}), **props}
        kind = kind.type
    return kind, props


def _default(field: Any) -> object:
    return field.default_factory() if field.default is NODEFAULT else field.default


def _defaulted(schema: Schema, kind: Any, default: object) -> tuple[Schema, Schema]:
    """Return a type and its default; a union begins with the branch that the default is of."""
    if isinstance(schema, list) and default is not None:
        schema = sorted(schema, key=NULL.__eq__)
        if len(schema) > (2 if NULL in schema else 1):
            raise Inexpressible(f"{schema}: a union has no default but None. Instead: no default.")
    return schema, in_json(default)


def in_json(value: object) -> Any:
    """Return a value as the default of a schema says it."""
    if isinstance(value, datetime):
        since = value - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    converters: dict[type, Callable[[Any], object]] = {
        UUID: str,
        Enum: lambda member: member.value,
        bytes: lambda data: data.decode("latin-1"),
        date: lambda day: (day - EPOCH.date()).days,
    }
    for known, convert in converters.items():
        if isinstance(value, known):
            return convert(value)
    if isinstance(value, Decimal | time):
        raise Inexpressible(f"{value!r} cannot be a default in a schema. Instead: no default.")
    if isinstance(value, list | tuple | set | frozenset):
        return [in_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): in_json(item) for key, item in value.items()}
    if hasattr(value, "__struct_fields__"):
        plain = to_builtins(value, builtin_types=(UUID, datetime, date, time, Decimal, bytes))
        return in_json(plain)
    return value
