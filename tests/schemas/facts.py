"""A fact with every type that a schema can say, and values for any fact."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from domain import Event, Money
from infra.schemas.records import SEQUENCES

LONG = 2**63 - 1


class Colour(StrEnum):
    """A closed set."""

    RED = "red"
    BLUE = "blue"


class Circle(msgspec.Struct, frozen=True, tag=True):
    """One of two shapes."""

    radius: int


class Square(msgspec.Struct, frozen=True, tag=True):
    """The other one."""

    side: int
    radius: int = 0


class EverythingHappened(Event, frozen=True):
    """Whatever a schema can say."""

    TOPIC = "tests.everything.happened"
    id: UUID
    """Whose it is."""
    at: datetime
    day: date
    hour: time
    amount: Annotated[Decimal, msgspec.Meta(extra={"precision": 18, "scale": 6})]
    price: Money
    colour: Colour
    size: Literal["small", "large"]
    shape: Circle | Square
    shapes: tuple[Circle | Square | None, ...]
    code: int | str | None
    data: bytes
    prices: dict[str, Money]
    counts: dict[str, int]
    friends: frozenset[UUID]
    name: Annotated[str, msgspec.Meta(extra={"personal": True})] = "nobody"
    born: datetime = datetime(2026, 1, 31, tzinfo=UTC)
    parent: UUID | None = None
    nickname: str | None = "nick"
    tags: tuple[str, ...] = ()
    paid: Money = Money(1, "EUR")
    tint: Colour = Colour.BLUE


PLAIN: dict[type, st.SearchStrategy[Any]] = {
    inspect.BoolType: st.booleans(),
    inspect.StrType: st.text(max_size=20),
    inspect.BytesType: st.binary(max_size=20),
    inspect.UUIDType: st.uuids(),
    inspect.DateTimeType: st.datetimes(timezones=st.just(UTC)),
    inspect.DateType: st.dates(),
    inspect.TimeType: st.times(),
    inspect.NoneType: st.none(),
}


def facts(fact: type[Event]) -> st.SearchStrategy[Event]:
    """Any fact of a class."""
    return _values(inspect.type_info(fact))


def _values(kind: Any) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.Metadata():
            if "scale" in (kind.extra or {}):
                unscaled = st.integers(-(10**18) + 1, 10**18 - 1)
                return unscaled.map(lambda n: Decimal(n).scaleb(-kind.extra["scale"]))  # type: ignore[index]
            return _values(kind.type)
        case inspect.IntType():
            return st.integers(max(kind.ge or -LONG, -LONG), min(kind.le or LONG, LONG))
        case inspect.StructType():
            return st.builds(kind.cls, **{one.name: _values(one.type) for one in kind.fields})
        case inspect.UnionType():
            return st.one_of(*map(_values, kind.types))
        case inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case inspect.LiteralType():
            return st.sampled_from(list(kind.values))
        case inspect.DictType():
            return st.dictionaries(_values(kind.key_type), _values(kind.value_type), max_size=3)
    if isinstance(kind, SEQUENCES):
        of = frozenset if isinstance(kind, inspect.FrozenSetType) else tuple
        return st.lists(_values(kind.item_type), max_size=3).map(of)
    return PLAIN[type(kind)]
