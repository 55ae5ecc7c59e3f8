"""What a fact's schema says, and which facts cannot have one."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import msgspec
import pytest

from domain import Event, Money
from infra.discovery import discover
from infra.schemas.binary import Writer
from infra.schemas.records import Inexpressible, record_of, without_docs
from tests.schemas.facts import EverythingHappened

FACTS = discover().facts
UUID_TYPE = {"type": "string", "logicalType": "uuid"}


def field(name: str, fact: type[Event] = EverythingHappened) -> dict[str, Any]:
    found = [one for one in record_of(fact)["fields"] if one["name"] == name]
    return dict(found[0])


@pytest.mark.parametrize("topic", FACTS)
def test_every_fact_has_a_schema_that_is_named_for_its_topic(topic: str) -> None:
    record = record_of(FACTS[topic])
    assert f"{record['namespace']}.{record['name']}" == topic
    assert record["doc"]
    fastavro.parse_schema(record)


def test_each_type_has_its_form() -> None:
    money = {"amount": "long", "currency": "string"}
    assert field("id") == {"name": "id", "type": UUID_TYPE, "doc": "Whose it is."}
    assert field("at")["type"] == {"type": "long", "logicalType": "timestamp-micros"}
    assert field("day")["type"] == {"type": "int", "logicalType": "date"}
    assert field("hour")["type"] == {"type": "long", "logicalType": "time-micros"}
    assert field("amount")["type"] == {
        "type": "bytes",
        "logicalType": "decimal",
        "precision": 18,
        "scale": 6,
    }
    assert {one["name"]: one["type"] for one in field("price")["type"]["fields"]} == money
    assert field("colour")["type"]["symbols"] == ["red", "blue"]
    assert field("size")["type"]["symbols"] == ["large", "small"]
    assert [one["name"] for one in field("shape")["type"]] == [
        "happened__shape__Circle",
        "happened__shape__Square",
    ]
    assert field("code")["type"] == ["null", "long", "string"]
    assert field("prices")["type"]["values"]["name"] == "happened__prices"
    assert field("counts")["type"] == {"type": "map", "values": "long"}
    assert field("friends")["type"] == {"type": "array", "items": UUID_TYPE}


def test_defaults_are_said_and_come_first_in_a_union() -> None:
    assert field("parent") == {"name": "parent", "type": ["null", UUID_TYPE], "default": None}
    nickname = {"name": "nickname", "type": ["string", "null"], "default": "nick"}
    assert field("nickname") == nickname
    assert field("born")["default"] == 1_769_817_600_000_000
    assert field("tags")["default"] == []
    assert field("paid")["default"] == {"amount": 1, "currency": "EUR"}
    assert field("tint")["default"] == "blue"
    assert "default" not in field("id")


def test_a_mark_on_a_field_is_in_its_schema() -> None:
    assert field("name") == {
        "name": "name",
        "type": "string",
        "default": "nobody",
        "personal": True,
    }


def test_what_is_said_to_people_does_not_tell_schemas_apart() -> None:
    class EverythingHappened(Event, frozen=True):
        """Said in other words."""

        TOPIC = "tests.little.happened"
        doc: str = "doc"
        """A field of that name."""

    bare = without_docs(record_of(EverythingHappened))
    assert bare["fields"] == [{"name": "doc", "type": "string", "default": "doc"}]
    assert "doc" not in bare


def test_a_fact_without_fields_has_some_bytes_all_the_same() -> None:
    schema = record_of(FACTS["banking.account.closed"])
    assert [(one["name"], one["default"]) for one in schema["fields"]] == [("happened", True)]
    assert Writer(schema)(FACTS["banking.account.closed"]()) == b"\1"


def test_a_class_may_be_renamed() -> None:
    class Coins(msgspec.Struct, frozen=True):
        amount: int
        currency: str

    class Before(Event, frozen=True):
        TOPIC = "tests.price.set"
        price: Money

    class After(Event, frozen=True):
        TOPIC = "tests.price.set"
        price: Coins

    assert without_docs(record_of(Before)) == without_docs(record_of(After))


class Nested(msgspec.Struct):
    """Contains itself."""

    inside: "Nested | None" = None


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (float, "FloatType has no form in a schema"),
        (timedelta, "TimeDeltaType has no form"),
        (Decimal, "a decimal needs its precision"),
        (dict[UUID, str], "its keys are no text"),
        (Nested, "it contains itself"),
        (int | datetime, "two of its types are one in Avro"),
        (Any, "AnyType has no form"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_with_its_place(kind: Any, said: str) -> None:
    fact: Any = msgspec.defstruct("Odd", [("odd", kind)], bases=(Event,), frozen=True)
    fact.TOPIC = "tests.odd.happened"
    with pytest.raises(Inexpressible, match=f"tests.odd.happened: happened__odd.*{said}"):
        record_of(fact)
