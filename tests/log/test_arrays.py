"""Arrays in PostgreSQL's binary format: the server reads back what was written."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.adapt import Dumper
from psycopg.pq import Format

from infra.log.arrays import (
    bigints,
    blobs,
    integers,
    texts,
    uuids,
)
from tests.stores import Stores

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
KINDS: dict[str, tuple[Callable[[Any], bytes | None], st.SearchStrategy[Any]]] = {
    "text": (texts, st.lists(st.none() | TEXT) | TEXT.map(lambda text: [text] * 3)),
    "bytea": (blobs, st.lists(st.none() | st.binary())),
    "uuid": (uuids, st.lists(st.none() | st.uuids())),
    "bigint": (bigints, st.lists(st.integers(-(2**63), 2**63 - 1))),
    "integer": (integers, st.lists(st.integers(-(2**31), 2**31 - 1))),
}


class Packed(bytes):
    """An array that is packed already."""


class PackedDumper(Dumper):
    """Passes it on; its type is said in the statement."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj


@pytest.fixture(scope="module")
def server(all_stores: Stores) -> Iterator[psycopg.Connection[Any]]:
    url = all_stores.settings("postgres").database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.adapters.register_dumper(Packed, PackedDumper)
        yield connection


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_server_reads_what_was_packed(
    server: psycopg.Connection[Any], kind: str, data: st.DataObject
) -> None:
    pack, strategy = KINDS[kind]
    values: Sequence[Any] = data.draw(strategy)
    packed = pack(values)
    found = server.execute(f"SELECT %b::{kind}[]".encode(), [packed and Packed(packed)]).fetchone()
    assert found is not None
    if packed is None:
        assert not any(value is not None for value in values)
    else:
        assert found[0] == list(values)


@pytest.mark.parametrize("pack", [bigints, integers])
def test_a_number_that_does_not_fit_is_refused(pack: Callable[[Any], bytes | None]) -> None:
    with pytest.raises(OverflowError, match="9223372036854775808"):
        pack([1, 2**63])


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        texts(["fine", "\ud800"])
