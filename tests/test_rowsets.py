"""Rows by the set: what a table holds comes back as it was, on both stores."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, BigInteger, Boolean, Column, MetaData, Numeric, Table, Text, select
from sqlalchemy.schema import CreateTable, DropTable

from infra.database import Database
from infra.log.port import Rejected
from infra.rows.rowsets import Clash, Row, add, change, find, key_names, remove
from projections import count, document, key, moment, money, ref, text
from tests.scenario import Scenario

A, B, C = (UUID(int=number) for number in (1, 2, 3))
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
things = Table(
    "things",
    MetaData(),
    # Key columns neither first nor in the key's order, and names that SQL has words for.
    text("order"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    key("user"),
    ref("other", nullable=True),
    count("pieces"),
    money("amount"),
    moment("time"),
    moment("later", nullable=True),
    document("content"),
    Column("open", Boolean),
    schema="probe",
)
bare = Table("bare", MetaData(), key(), schema="probe")


def thing(user: UUID, number: int = 1, **changed: Any) -> Row:
    return {
        "order": "o",
        "number": number,
        "user": user,
        "other": None,
        "pieces": 0,
        "amount": 0,
        "time": NOON,
        "later": None,
        "content": {},
        "open": True,
        **changed,
    }


def place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in key_names(things))


@pytest.fixture
def database(probe: Scenario) -> Iterator[Database]:
    database: Database = probe.system.databases["probe"]

    async def ddl(statement: type[CreateTable] | type[DropTable]) -> None:
        async with database.write() as connection:
            for table in (things, bare):
                await connection.execute(statement(table))

    probe.run(ddl(CreateTable))
    yield database
    probe.run(ddl(DropTable))


@pytest.fixture
def do(probe: Scenario, database: Database):
    """Run one of the four in a transaction of its own."""

    def run(verb: Any, table: Table, what: list[Any]) -> Any:
        async def body() -> Any:
            async with database.write() as connection:
                done = await verb(connection, table, what)
                return await done() if verb is find else None

        return probe.run(body())

    return run


VALUES: dict[str, Row] = {
    "plain": {},
    "large": {"pieces": 2**63 - 1, "amount": -(2**63), "number": 2**40},
    "long": {"order": "“Hé” 🙂\n{,}\"'\\" * 1_000},
    "empty": {"order": "", "content": []},
    "full": {"other": B, "later": NOON, "open": False},
    "another zone": {"time": NOON.astimezone(timezone(timedelta(hours=5))), "later": NOON},
    "nested": {"content": [{"a": None, "b": [1, 2.5, "x", True, {"ü": []}]}, "{}", "[]"]},
    "a text": {"content": "text"},
    "nothing": {"content": None, "open": None},
}


@pytest.mark.parametrize("name", VALUES)
def test_a_row_comes_back_as_it_was(do, name: str) -> None:
    row = thing(A, **{"number": 1, **VALUES[name]})
    do(add, things, [row])
    assert do(find, things, [place(row)]) == [row]
    (found,) = do(find, things, [place(row)])
    assert found["time"].tzinfo is UTC
    do(change, things, [found])
    assert do(find, things, [place(row)]) == [row]


def test_rows_of_every_kind_go_together(do) -> None:
    rows = [thing(A, **{"number": n, **values}) for n, values in enumerate(VALUES.values(), 5)]
    do(add, things, rows)
    found = do(find, things, [place(row) for row in rows])
    assert sorted(found, key=place) == sorted(rows, key=place)


def test_only_the_rows_with_the_keys_are_found_changed_and_removed(do) -> None:
    rows = [thing(user, number) for user in (A, B, C) for number in (1, 2)]
    do(add, things, rows)
    do(change, things, [thing(A, 2, pieces=7), thing(B, 1, order="changed")])
    do(remove, things, [(2, B), (1, C), (9, C)])
    left = do(find, things, [place(row) for row in [*rows, thing(C, 9)]])
    assert sorted((row["user"], row["number"], row["pieces"], row["order"]) for row in left) == [
        (A, 1, 0, "o"),
        (A, 2, 7, "o"),
        (B, 1, 0, "changed"),
        (C, 2, 0, "o"),
    ]


def test_a_table_may_have_nothing_but_its_key(do) -> None:
    rows = [{"id": id} for id in (A, B)]
    do(add, bare, rows)
    do(change, bare, [*rows, {"id": C}])
    do(remove, bare, [(A,)])
    assert {row["id"] for row in do(find, bare, [(A,), (B,), (C,)])} == {B, C}


def test_what_a_table_does_not_take_is_a_clash_that_names_it(do) -> None:
    do(add, things, [thing(A)])
    for row, says in ((thing(A), "things: "), (thing(B, order=None), "things: .*order")):
        with pytest.raises(Clash, match=says):
            do(add, things, [thing(C), row])
    assert do(find, things, [place(thing(C))]) == []


@pytest.mark.parametrize("wrong", [{"pieces": 2**63}, {"amount": -(2**70)}])
def test_a_number_out_of_range_is_rejected(do, wrong: Row) -> None:
    with pytest.raises(Rejected):
        do(add, things, [thing(A), thing(B, **wrong)])
    assert do(find, things, [place(thing(A)), place(thing(B))]) == []


@pytest.mark.parametrize("store", ["postgres"])
def test_a_text_that_postgres_cannot_hold_is_rejected(do) -> None:
    for wrong in ("a\0b", "\ud800"):
        with pytest.raises(Rejected):
            do(add, things, [thing(A, order=wrong)])


def test_a_time_without_a_zone_is_refused(do) -> None:
    with pytest.raises(Exception, match="no time zone"):
        do(add, things, [thing(A, time=NOON.replace(tzinfo=None))])


def test_a_translated_schema_is_another_table(probe, database, do) -> None:
    """A rebuild writes to shadow tables by the same code."""
    shadow = {"probe": "probe_shadow"}

    async def body() -> list[Any]:
        async with database.write(shadow) as connection:
            if not database.is_sqlite:
                await connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS probe_shadow")
            await connection.execute(CreateTable(things))
            await add(connection, things, [thing(B)])
            await change(connection, things, [thing(B, pieces=2)])
            answer = await find(connection, things, [place(thing(B))])
            found = [*await answer(), *(await connection.execute(select(things))).mappings()]
            await remove(connection, things, [place(thing(B))])
            assert (await connection.execute(select(things))).all() == []
            await connection.execute(DropTable(things))
            return found

    do(add, things, [thing(A)])
    assert [(row["user"], row["pieces"]) for row in probe.run(body())] == [(B, 2)] * 2
    assert len(do(find, things, [place(thing(A))])) == 1


@pytest.mark.parametrize("store", ["postgres"])
def test_a_list_in_a_column_is_refused_with_what_to_do(probe, database, do) -> None:
    lists = Table("lists", MetaData(), key(), Column("names", ARRAY(Text)), schema="probe")
    with pytest.raises(TypeError, match="lists in a document"):
        do(add, lists, [{"id": A, "names": ["x"]}])


@pytest.mark.parametrize("store", ["postgres"])
def test_decimals_are_exact(probe, database, do) -> None:
    exact = Table("exact", MetaData(), key(), Column("share", Numeric), schema="probe")

    async def made(statement: Any) -> None:
        async with database.write() as connection:
            await connection.execute(statement)

    probe.run(made(CreateTable(exact)))
    do(add, exact, [{"id": A, "share": Decimal("0.1000000000000000001")}])
    assert do(find, exact, [(A,)])[0]["share"] == Decimal("0.1000000000000000001")
    probe.run(made(DropTable(exact)))
