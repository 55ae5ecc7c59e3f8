"""A batch as the arrays that PostgreSQL's function `append` takes; see its migration.

They are put together here in PostgreSQL's binary format, because a driver that looks at each
element of a list to find out what it is takes four times as long.
(Format: `array_recv` in PostgreSQL's `arrayfuncs.c`: dimensions, whether there are NULLs, the type
of the elements, then length and lower bound, then each element with its length in bytes.)
"""

import struct
from collections.abc import Sequence
from uuid import UUID

from infra.log.batch import Batch

HEADER = struct.Struct(">iiIii")
NONE = struct.pack(">i", -1)
UUID_SIZE = struct.pack(">i", 16)
# Types by their numbers in PostgreSQL's catalogue, which never change.
BYTEA, BIGINT, INTEGER, TEXT, UUID_TYPE = 17, 20, 23, 25, 2950

# What the function takes, group by group; the names say which array is which.
RECEIPT_TYPES = (
    "text[], text[], text[], uuid[], text[], uuid[], uuid[], text[], text[], text[], text[], "
    "text[], uuid[], bigint[], bigint[], integer[], text[], text[], text[]"
)
CHECK_TYPES = "uuid[], bigint[]"
READER_TYPES = "integer[], text[], bigint[]"
FACT_TYPES = "integer[], uuid[], bigint[], text[], text[], bytea[]"
PARAMETERS = ", ".join(
    f"%b::{kind}"
    for group in (RECEIPT_TYPES, CHECK_TYPES, READER_TYPES, FACT_TYPES)
    for kind in group.split(", ")
)


def packed(batch: Batch) -> list[bytes | None]:
    """Return the arrays in the order of `PARAMETERS`; None for one that has nothing in it."""
    appends = batch.appends
    origins = [append.origin for append in appends]
    firsts = [append.writes[0] if append.writes else None for append in appends]
    refusals = [append.refusal for append in appends]
    rows = batch.facts
    return [
        texts([o.actor for o in origins]),
        texts([o.command for o in origins]),
        texts([o.key for o in origins]),
        uuids([o.command_id for o in origins]),
        texts([o.fingerprint for o in origins]),
        uuids([o.correlation_id for o in origins]),
        uuids([o.causation_id for o in origins]),
        texts([o.traceparent for o in origins]),
        texts([o.address for o in origins]),
        texts([o.agent for o in origins]),
        texts([o.reason for o in origins]),
        texts([o.roles for o in origins]),
        uuids([first.stream if first else None for first in firsts]),
        bigints([first.last if first else 0 for first in firsts]),
        bigints(batch.last),
        integers([sum([len(write.facts) for write in append.writes]) for append in appends]),
        texts([r.code if r else None for r in refusals]),
        texts([r.detail if r else None for r in refusals]),
        texts([r.type if r else None for r in refusals]),
        uuids([check.stream for check in batch.checks]),
        bigints([check.expected for check in batch.checks]),
        integers([number + 1 for number, _ in batch.tracked]),
        texts([tracked.reader for _, tracked in batch.tracked]),
        bigints([tracked.position for _, tracked in batch.tracked]),
        integers([row.append + 1 for row in rows]),
        uuids([row.stream for row in rows]),
        bigints([row.version for row in rows]),
        texts([row.fact.topic for row in rows]),
        blobs([row.fact.data if row.fact.is_json else None for row in rows], TEXT),
        blobs([None if row.fact.is_json else row.fact.data for row in rows]),
    ]


def texts(values: Sequence[str | None]) -> bytes | None:
    """Return a `text[]`. Raises `UnicodeEncodeError` for half a surrogate pair."""
    if _nothing(values):
        return None
    first = values[0]
    if first is not None and values.count(first) == len(values):  # one actor, one topic
        return _array(TEXT, len(values), _sized(first.encode()) * len(values))
    return blobs([None if v is None else v.encode() for v in values], TEXT)


def blobs(values: Sequence[bytes | None], kind: int = BYTEA) -> bytes | None:
    """Return a `bytea[]`, or a `text[]` of what is encoded; PostgreSQL looks at the encoding."""
    if _nothing(values):
        return None
    return _array(kind, len(values), b"".join([NONE if v is None else _sized(v) for v in values]))


def uuids(values: Sequence[UUID | None]) -> bytes | None:
    """Return a `uuid[]`."""
    if _nothing(values):
        return None
    return _array(
        UUID_TYPE,
        len(values),
        b"".join([NONE if v is None else UUID_SIZE + v.int.to_bytes(16) for v in values]),
    )


def bigints(values: Sequence[int]) -> bytes | None:
    """Return a `bigint[]`. Raises `OverflowError`."""
    return _numbers(BIGINT, 8, "q", values)


def integers(values: Sequence[int]) -> bytes | None:
    """Return an `integer[]`. Raises `OverflowError`."""
    return _numbers(INTEGER, 4, "i", values)


def _numbers(kind: int, size: int, code: str, values: Sequence[int]) -> bytes | None:
    if not values:
        return None
    try:
        with_sizes = [number for value in values for number in (size, value)]
        data = struct.pack(">" + ("i" + code) * len(values), *with_sizes)
    except struct.error as error:
        raise OverflowError(f"{error}: {min(values)} to {max(values)}") from error
    return _array(kind, len(values), data)


def _nothing(values: Sequence[object]) -> bool:
    return not values or (values[0] is None and values.count(None) == len(values))


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(4) + value


def _array(kind: int, length: int, elements: bytes) -> bytes:
    return HEADER.pack(1, 1, kind, length, 1) + elements
