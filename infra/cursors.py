"""Cursors of lists: where the next page begins, and as of what the first one was asked."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import and_, or_

from domain import Invalid
from projections import Listing


class BadCursor(Invalid, code="bad_cursor"):
    """The cursor did not come from this list."""


class Place(NamedTuple):
    """Behind which row the next page begins."""

    by: list[Any]
    """The values of the columns that the list is sorted by."""
    as_of: str | None = None
    """As it was asked for."""
    then: int | None = None
    """The position that it meant. It is kept: what a time means may still grow."""


def encoded(place: Place) -> str:
    """Return a cursor."""
    value = place.by if place.as_of is None else [place.by, place.as_of, place.then]
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def decoded(cursor: str, query: Listing, as_of: str | None) -> Place:
    """Return a cursor's place; `as_of` is left out or the same as for the first page.

    Raises `BadCursor`.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = msgspec.json.decode(raw, type=list)
        by, asked, then = values, None, None
        if values and isinstance(values[0], list):
            by, asked, then = msgspec.convert(values, tuple[list[Any], str, int])
        types = [column.type.python_type for column in query.by]
        if len(by) != len(types):
            raise ValueError("another number of columns")
        place = Place([_part(v, kind) for v, kind in zip(by, types, strict=True)], asked, then)
        if then is not None and not 0 <= then < 2**63:
            raise ValueError("no position")
    except (ValueError, msgspec.MsgspecError, OverflowError, RecursionError) as error:
        raise BadCursor(
            f"cursor {cursor!r} is not one of this list; start again without a cursor"
        ) from error
    if as_of not in (None, place.as_of):
        raise BadCursor(
            f"the cursor's first page was asked as of {place.as_of or 'now'}, not {as_of}; leave "
            "as_of out, or start again without a cursor"
        )
    return place


def beyond(query: Listing, values: Sequence[Any]) -> Any:
    """Return the condition for rows behind the key `values` in the list's order."""
    steps = []
    for index, column in enumerate(query.by):
        same = [c == v for c, v in zip(query.by[:index], values[:index], strict=True)]
        further = column < values[index] if query.descending else column > values[index]
        steps.append(and_(*same, further))
    return or_(*steps)


def _part(value: Any, kind: type) -> Any:
    """Return a value as the column has it. Raises `ValueError` for what no row can have."""
    part: Any = msgspec.convert(value, kind)
    if isinstance(part, int) and abs(part) >= 2**63:
        raise ValueError("too large a number")
    if isinstance(part, str) and "\0" in part:
        raise ValueError("a NUL")
    if isinstance(part, datetime):
        if part.tzinfo is None:
            raise ValueError("a time without a zone")
        return part.astimezone(UTC)
    return part
