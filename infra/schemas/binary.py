"""Facts to and from Avro's bytes."""

from datetime import date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import msgspec

from domain import Event
from infra.schemas.records import Schema

KEPT = (UUID, datetime, date, time, Decimal, bytes)
"""Values that Avro's logical types take as they are."""


class Unwritable(Exception):
    """A fact has a value that its schema cannot say, such as a number of more than 64 bits."""


class Unreadable(Exception):
    """Bytes are no fact of the schema they are said to be of."""


class Writer:
    """Writes facts of one schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = fastavro.parse_schema(schema)

    def __call__(self, fact: Event) -> bytes:
        """Return the bytes of a fact. Raises `Unwritable`."""
        out = BytesIO()
        try:
            values = msgspec.to_builtins(fact, builtin_types=KEPT)
            fastavro.schemaless_writer(out, self._schema, values)
        except (ValueError, TypeError, OverflowError, AttributeError, KeyError) as error:
            raise Unwritable(f"{fact.TOPIC}: {error}") from error
        return out.getvalue()


class Reader:
    """Reads what was written with one schema as facts of a class, by way of another schema."""

    def __init__(self, fact: type[Event], written: Schema, read: Schema) -> None:
        self._fact = fact
        self._written = fastavro.parse_schema(written)
        self._read = fastavro.parse_schema(read)

    def __call__(self, data: bytes) -> Event:
        """Return the fact. Raises `Unreadable`."""
        source = BytesIO(data)
        try:
            values: Any = fastavro.schemaless_reader(source, self._written, self._read)
            fact: Event = msgspec.convert(values, self._fact)
        except (ValueError, TypeError, EOFError, KeyError, IndexError, OverflowError) as error:
            raise Unreadable(f"{self._fact.TOPIC}: {error}") from error
        if source.read(1):
            raise Unreadable(f"{self._fact.TOPIC}: there are bytes behind the fact")
        return fact
