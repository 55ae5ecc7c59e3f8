"""Every fact comes back from Avro as it was."""

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import Event
from infra.discovery import discover
from infra.schemas.binary import Reader, Unreadable, Unwritable, Writer
from infra.schemas.records import record_of
from tests.schemas.facts import LONG, EverythingHappened, facts

FACTS = [*discover().facts.values(), EverythingHappened]
CREDITED = discover().facts["banking.account.credited"]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.TOPIC)
def test_a_fact_comes_back_as_it_was(fact: type[Event]) -> None:
    schema = record_of(fact)
    write, read = Writer(schema), Reader(fact, schema, schema)

    @settings(max_examples=20, deadline=None)
    @given(facts(fact))
    def comes_back(written: Event) -> None:
        assert read(write(written)) == written

    comes_back()


@settings(max_examples=300, deadline=None)
@given(facts(EverythingHappened))
def test_everything_comes_back_as_it_was(written: Event) -> None:
    schema = record_of(EverythingHappened)
    assert Reader(EverythingHappened, schema, schema)(Writer(schema)(written)) == written


def credited(amount: int) -> Event:
    return CREDITED(transfer_id=UUID(int=1), amount=amount, currency="EUR", balance=0)


def test_a_number_that_is_too_large_is_not_written_as_another() -> None:
    write = Writer(record_of(CREDITED))
    assert write(credited(LONG))
    for amount in (LONG + 1, -LONG - 2, 2**64, 2**70):
        with pytest.raises(Unwritable, match=r"^banking.account.credited: "):
            write(credited(amount))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_of_something_else_are_refused_or_a_fact(data: bytes) -> None:
    schema = record_of(CREDITED)
    with suppress(Unreadable):
        read = Reader(CREDITED, schema, schema)(data)
        assert isinstance(read, CREDITED)


def test_a_fact_that_was_cut_or_has_more_behind_it_is_refused() -> None:
    schema = record_of(CREDITED)
    data = Writer(schema)(credited(1))
    for wrong in (data[:-1], data + b"\0", b""):
        with pytest.raises(Unreadable):
            Reader(CREDITED, schema, schema)(wrong)
