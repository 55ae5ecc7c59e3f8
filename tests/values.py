"""Any value of a type, as Hypothesis draws it: for facts and states, from what they declare."""

from datetime import UTC, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as some
from msgspec import inspect

MOST = 4
"""Items of one collection, at most."""
TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN: dict[type[inspect.Type], some.SearchStrategy[Any]] = {
    inspect.NoneType: some.none(),
    inspect.BoolType: some.booleans(),
    inspect.StrType: TEXT,
    inspect.BytesType: some.binary(max_size=8),
    inspect.UUIDType: some.uuids(),
    inspect.DecimalType: some.decimals(allow_nan=False, allow_infinity=False),
    inspect.DateType: some.dates(),
    inspect.TimeDeltaType: some.timedeltas(timedelta(days=-9_999), timedelta(days=9_999)),
    inspect.DateTimeType: some.datetimes(timezones=some.just(UTC)).map(
        lambda moment: moment.replace(fold=0)
    ),
}


def values(described: inspect.Type) -> some.SearchStrategy[Any]:
    """Return a strategy for any value that a type allows."""
    match described:
        case inspect.Metadata():
            return values(described.type)
        case inspect.IntType():
            least, most = described.ge, described.le
            return some.integers(
                -(2**63) if least is None else int(least), 2**63 - 1 if most is None else int(most)
            )
        case inspect.EnumType():
            return some.sampled_from(list(described.cls))
        case inspect.LiteralType():
            return some.sampled_from(described.values)
        case inspect.UnionType():
            return some.one_of([values(one) for one in described.types])
        case inspect.TupleType():
            return some.tuples(*map(values, described.item_types))
        case inspect.VarTupleType():
            return some.lists(values(described.item_type), max_size=MOST).map(tuple)
        case inspect.FrozenSetType() | inspect.SetType():
            return some.frozensets(values(described.item_type), max_size=MOST)
        case inspect.DictType():
            keys, held = values(described.key_type), values(described.value_type)
            return some.dictionaries(keys, held, max_size=MOST)
        case inspect.StructType():
            fields = {field.name: values(field.type) for field in described.fields}
            return some.builds(described.cls, **fields)
    return PLAIN[type(described)]


@cache
def values_of(struct: type) -> some.SearchStrategy[Any]:
    """Return a strategy for any instance of a struct."""
    return values(inspect.type_info(struct))
