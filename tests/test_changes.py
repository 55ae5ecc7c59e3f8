"""The verbs of `Changes`, merged and written in batches, beside a model too simple to be wrong."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from infra.rows.changes import Buffer, Changing
from infra.rows.rowchanges import ImpossibleChange
from tests.probe.rows import jobs, pushes

Row = dict[str, Any]
Model = dict[tuple[str, Any], Row]
KEYS = [UUID(int=n) for n in (1, 2)]
DEFAULTS: Row = {"name": None, "status": None, "pushes": 0, "position": 0, "version": 0}
TABLES = {"jobs": jobs, "pushes": pushes}


def values_of(table: str) -> st.SearchStrategy[Row]:
    if table == "pushes":
        return st.fixed_dictionaries({"note": st.sampled_from("xyz")})
    return st.fixed_dictionaries(
        {}, optional={"pushes": st.integers(0, 9), "version": st.integers(0, 9)}
    )


@st.composite
def asked(draw) -> tuple[Any, ...]:
    """One verb, its table, key and values."""
    verb = draw(st.sampled_from(["insert", "insert", "update", "add", "delete", "run"]))
    if verb == "run":
        return ("run", "jobs", draw(st.sampled_from(["empty", "double"])), {})
    table = draw(st.sampled_from(list(TABLES))) if verb != "add" else "jobs"
    key = draw(st.sampled_from(KEYS))
    whole = (key, draw(st.integers(1, 2))) if table == "pushes" else key
    if verb == "add":
        return verb, table, whole, {"pushes": draw(st.integers(-5, 5))}
    return verb, table, whole, draw(values_of(table)) if verb != "delete" else {}


class Impossible(Exception):
    """The model cannot do it."""


def model_of(rows: Model, batch: list[Any]) -> Model:
    """Do what was asked one after another; raises `Impossible`."""
    rows = {place: dict(row) for place, row in rows.items()}
    for verb, table, key, values in batch:
        place = (table, key)
        if verb == "run":
            for there in [p for p in rows if p[0] == "jobs"]:
                if key == "double":
                    rows[there]["pushes"] *= 2
                elif rows[there]["version"] == 0:
                    del rows[there]
        elif (place in rows) == (verb == "insert"):
            raise Impossible
        elif verb == "insert":
            rows[place] = {**(DEFAULTS | {"name": "n", "status": "s"}), **values}
            if table == "pushes":
                rows[place] = dict(values)
        elif verb == "update":
            rows[place] |= values
        elif verb == "add":
            rows[place]["pushes"] += values["pushes"]
        else:
            del rows[place]
    return rows


def buffer_of(batch: list[Any], moment: Any) -> Buffer:
    buffer = Buffer()
    for verb, table, key, values in batch:
        if verb == "run" and key == "double":
            buffer.run(update(jobs).values(pushes=jobs.c.pushes * 2))
        elif verb == "run":
            buffer.run(delete(jobs).where(jobs.c.version == 0))
        elif verb == "insert" and table == "jobs":
            named = {"name": "n", "status": "s", "started_at": moment}
            buffer.insert(jobs, id=key, **{**named, **values})
        elif verb == "insert":
            buffer.insert(pushes, job_id=key[0], number=key[1], **values)
        elif verb == "delete":
            buffer.delete(TABLES[table], key)
        else:
            getattr(buffer, verb)(TABLES[table], key, **values)
    return buffer


async def rows_of(database: Any) -> Model:
    found: Model = {}
    async with database.read() as connection:
        for row in (await connection.execute(select(jobs))).mappings():
            found["jobs", row["id"]] = {name: row[name] for name in DEFAULTS}
        for row in (await connection.execute(select(pushes))).mappings():
            found["pushes", (row["job_id"], row["number"])] = {"note": row["note"]}
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(asked(), max_size=6), max_size=4))
@example(  # a row that is there, inserted and deleted in one batch
    batches=[
        [("insert", "jobs", KEYS[0], {})],
        [("insert", "jobs", KEYS[0], {}), ("delete", "jobs", KEYS[0], {})],
    ]
)
@example(  # deleted and inserted anew: nothing of the old row stays
    batches=[
        [("insert", "jobs", KEYS[0], {"pushes": 5, "version": 5})],
        [("delete", "jobs", KEYS[0], {}), ("insert", "jobs", KEYS[0], {})],
    ]
)
def test_batches_do_what_the_verbs_do_one_after_another(probe, batches: list[Any]) -> None:
    database = probe.system.databases["probe"]

    async def batch_written(batch: list[Any]) -> None:
        async with database.write() as connection:
            await Changing(buffer_of(batch, probe.clock.now())).write(connection)

    async def body() -> None:
        async with database.write() as connection:
            await connection.execute(delete(jobs))
            await connection.execute(delete(pushes))
        model: Model = {}
        for batch in batches:
            try:
                model = model_of(model, batch)
            except Impossible:
                with pytest.raises(ImpossibleChange):
                    await batch_written(batch)
            else:
                await batch_written(batch)
            assert await rows_of(database) == model

    probe.run(body())


def test_a_change_that_makes_no_sense_is_refused_when_asked() -> None:
    buffer = Buffer()
    for refused, says in (
        (lambda: buffer.insert(jobs, name="n"), "lacks the key id"),
        (lambda: buffer.insert(jobs, id=None, name="n"), "lacks the key id"),
        (lambda: buffer.insert(jobs, id=KEYS[0], colour="red"), "no column colour"),
        (lambda: buffer.update(jobs, KEYS[0], colour="red"), "no column colour"),
        (lambda: buffer.add(jobs, KEYS[0], colour=1), "no column colour"),
        (lambda: buffer.update(pushes, KEYS[0], note="x"), "the key is"),
        (lambda: buffer.delete(jobs, (KEYS[0], 1)), "the key is"),
        (lambda: buffer.update(jobs, KEYS[0], id=KEYS[1]), "id is the key"),
        (lambda: buffer.add(pushes, (KEYS[0], 1), number=1), "number is the key"),
    ):
        with pytest.raises(ImpossibleChange, match=says):
            refused()
    assert buffer.asked == []


def test_what_a_table_does_not_take_is_told_without_its_values(probe) -> None:
    moment = probe.clock.now()
    for says, ask in {
        "status": lambda b: b.insert(jobs, id=KEYS[0], name="canary", started_at=moment),
        "holds no number": lambda b: b.add(jobs, KEYS[1], name=1),
    }.items():
        buffer = Buffer()
        buffer.insert(jobs, id=KEYS[1], name="canary", status="s", started_at=moment)
        ask(buffer)

        async def body(buffer: Buffer = buffer) -> None:
            async with probe.system.databases["probe"].write() as connection:
                await Changing(buffer).write(connection)

        with pytest.raises(ImpossibleChange, match=says) as error:
            probe.run(body())
        assert "canary" not in str(error.value)
    assert probe.run(rows_of(probe.system.databases["probe"])) == {}


def test_many_rows_are_looked_up_in_parts(probe) -> None:
    database = probe.system.databases["probe"]
    keys = [UUID(int=n) for n in range(1, 1202)]

    async def body() -> None:
        async with database.write() as connection:
            buffer = Buffer()
            for key in keys:
                buffer.insert(jobs, id=key, name="n", status="s", started_at=probe.clock.now())
            assert await Changing(buffer).write(connection) == len(keys)
        async with database.write() as connection:
            buffer = Buffer()
            for key in keys:
                buffer.add(jobs, key, pushes=1)
            buffer.delete(jobs, keys[0])
            await Changing(buffer).write(connection)
        rows = await rows_of(database)
        assert len(rows) == len(keys) - 1
        assert {row["pushes"] for row in rows.values()} == {1}

    probe.run(body())
