"""Compares what came of running two versions of the code over the same facts."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from infra.candidates.outcomes import Outcome, Part, Sent
from infra.candidates.scratch import Shaped

Row = dict[str, Any]


def compared(now: Path, then: Path, positions: Mapping[str, int]) -> Outcome:
    """Compare two folders that `infra.candidates.rerun` has filled."""
    connection = sqlite3.connect(now / "found.db")
    try:
        for name, file in (
            ("other", then / "found.db"),
            ("rows", now / "rows.db"),
            ("other_rows", then / "rows.db"),
        ):
            connection.execute(f"ATTACH ? AS {name}", (str(file),))
        connection.row_factory = sqlite3.Row
        return Outcome(
            dict(positions),
            [*_projections(connection)],
            [*_states(connection)],
            [*_sagas(connection)],
            [*_decisions(connection)],
            [*_faults(connection)],
        )
    finally:
        connection.close()


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def _projections(connection: sqlite3.Connection) -> Iterator[Part]:
    sides: list[dict[str, dict[str, Shaped]]] = []
    for schema in ("main", "other"):
        found: dict[str, dict[str, Shaped]] = {}
        for row in connection.execute(f"SELECT * FROM {schema}.shapes ORDER BY 1, 2"):
            shape = msgspec.json.decode(row["shape"], type=Shaped)
            found.setdefault(row["projection"], {})[row["name"]] = shape
        sides.append(found)
    for projection in sorted({*sides[0], *sides[1]}):
        now, then = sides[0].get(projection, {}), sides[1].get(projection, {})
        part = Part(projection)
        for name in sorted({*now, *then}):
            _table(connection, part, now.get(name), then.get(name))
        yield part


def _table(
    connection: sqlite3.Connection, part: Part, now: Shaped | None, then: Shaped | None
) -> None:
    shape = now or then
    assert shape is not None  # noqa: S101 - it is in one of the two
    if now is None or then is None:
        part.differ(f"table {shape.label}", now and now.columns, then and then.columns)
        return
    if now.columns != then.columns:
        part.differ(f"columns of {shape.label}", now.columns, then.columns)
    if now.keys != then.keys:
        part.differ(f"key of {shape.label}", now.keys, then.keys)
        return
    columns = [name for name in now.columns if name in then.columns]
    count = f'SELECT count(*) FROM other_rows."{shape.name}"'
    part.compared += connection.execute(count).fetchone()[0]
    documents = {*now.documents, *then.documents}
    for key, *rows in _differing(connection, shape, columns):
        a, b = (_plain(row, documents) for row in rows)
        if a is None or b is None:
            part.differ(f"row {shape.label} {key}", a, b)
        elif changed := [name for name in columns if a[name] != b[name]]:
            part.differ(
                f"row {shape.label} {key}",
                {name: a[name] for name in changed},
                {name: b[name] for name in changed},
            )


def _differing(
    connection: sqlite3.Connection, shape: Shaped, columns: list[str]
) -> Iterator[tuple[str, Row | None, Row | None]]:
    """Yield key and both rows where they are not the same, in the order of the key."""
    same = " AND ".join(f'a."{name}" = b."{name}"' for name in shape.keys)
    all_ = {side: ", ".join(f'{side}."{name}"' for name in columns) for side in "ab"}
    pairs = ((f'rows."{shape.name}"', f'other_rows."{shape.name}"'), (all_["a"], all_["b"]))
    (mine, other), (a, b) = pairs
    there = f'b."{shape.keys[0]}" IS NULL'
    order = ", ".join(f'a."{name}"' for name in shape.keys)
    size = len(columns)
    # Rows of this program that the candidate has not, or has otherwise; then those it has alone.
    for row in connection.execute(
        f"SELECT {a}, {b}, {there} FROM {mine} a LEFT JOIN {other} b ON {same}"
        f" WHERE {there} OR ({a}) IS NOT ({b}) ORDER BY {order}"
    ):
        first = dict(zip(columns, row[:size], strict=True))
        second = None if row[-1] else dict(zip(columns, row[size:-1], strict=True))
        yield _key(shape, first), first, second
    for row in connection.execute(
        f"SELECT {a} FROM {other} a LEFT JOIN {mine} b ON {same} WHERE {there} ORDER BY {order}"
    ):
        only = dict(zip(columns, row, strict=True))
        yield _key(shape, only), None, only


def _key(shape: Shaped, row: Row) -> str:
    return ", ".join(str(row[name]) for name in shape.keys)


def _plain(row: Row | None, documents: set[str]) -> Row | None:
    if row is None:
        return None
    return {
        name: json.loads(value) if name in documents and value is not None else value
        for name, value in row.items()
    }


# ── states ───────────────────────────────────────────────────────────────────────────────────────


def _states(connection: sqlite3.Connection) -> Iterator[Part]:
    parts: dict[str, Part] = {}
    for kind, number in connection.execute("SELECT kind, count(*) FROM other.states GROUP BY 1"):
        parts[kind] = Part(kind, number)
    for row in connection.execute(
        "SELECT coalesce(a.kind, b.kind) AS kind, coalesce(a.stream, b.stream) AS stream,"
        " a.data AS now, b.data AS then_ FROM main.states a FULL JOIN other.states b"
        " ON a.context = b.context AND a.stream = b.stream"
        " WHERE a.data IS NOT b.data ORDER BY 1, 2"
    ):
        now, then = _fields(row["now"]), _fields(row["then_"])
        if isinstance(now, dict) and isinstance(then, dict):
            changed = sorted(
                name for name in {*now, *then} if now.get(name, now) != then.get(name, then)
            )
            now = {name: now[name] for name in changed if name in now}
            then = {name: then[name] for name in changed if name in then}
        part = parts.setdefault(row["kind"], Part(row["kind"]))
        part.differ(f"stream {row['stream']}", now, then)
    yield from (parts[kind] for kind in sorted(parts))


def _fields(data: str | None) -> Any:
    if data is None or not data.startswith("{"):
        return data  # no state, or why there is none
    return json.loads(data)


# ── sagas ────────────────────────────────────────────────────────────────────────────────────────


def _sagas(connection: sqlite3.Connection) -> Iterator[Part]:
    query = "SELECT saga, count(*) FROM {}.steps GROUP BY 1"
    counts = [dict(connection.execute(query.format(s)).fetchall()) for s in ("main", "other")]
    for saga in sorted({*counts[0], *counts[1]}):
        part = Part(saga, counts[1].get(saga, 0))
        for place, now, then in _reactions(connection, saga):
            _reaction(part, place, now, then)
        yield part


def _reactions(
    connection: sqlite3.Connection, saga: str
) -> Iterator[tuple[str, list[Row], list[Row]]]:
    """Yield what both do about each fact where that is not the same."""
    rows = connection.execute(
        "SELECT * FROM (SELECT 0 AS side, * FROM main.steps WHERE saga = ?1"
        " UNION ALL SELECT 1, * FROM other.steps WHERE saga = ?1)"
        " ORDER BY context, position, side, number",
        (saga,),
    )
    for (context, position), some in groupby(rows, key=lambda r: (r["context"], r["position"])):
        found = [dict(row) for row in some]
        now, then = ([r for r in found if r["side"] == side] for side in (0, 1))
        if [_said(row) for row in now] != [_said(row) for row in then]:
            yield f"{context}={position}", now, then


def _reaction(part: Part, place: str, now: list[Row], then: list[Row]) -> None:
    """Tell steps that only one of the two takes, or takes with other values."""
    said = [_said(row) for row in now]
    left = [row for row in now if _said(row) not in [_said(other) for other in then]]
    for row in then:
        if _said(row) in said:
            continue
        alike = [one for one in left if (one["kind"], one["name"]) == (row["kind"], row["name"])]
        if alike:
            left.remove(alike[0])
            part.differ(_step(place, row), _value(alike[0]), _value(row), _sent(alike[0]))
        else:
            part.differ(_step(place, row), None, _value(row))
    for row in left:
        part.differ(_step(place, row), _value(row), None, _sent(row))


def _sent(row: Row) -> Sent | None:
    if row["kind"] != "command":
        return None
    return Sent(row["saga"], row["name"], f"{row['context']}:{row['position']}:{row['number']}")


def _said(row: Row) -> tuple[str, str, str, str]:
    return row["kind"], row["name"], row["process"], row["data"]


def _step(place: str, row: Row) -> str:
    return f"{row['kind']} {row['name']} of process {row['process']} about {place}"


def _value(row: Row) -> Any:
    return json.loads(row["data"])


# ── decisions ────────────────────────────────────────────────────────────────────────────────────


def _decisions(connection: sqlite3.Connection) -> Iterator[Part]:
    """Compare what both decide on commands that both send for the same reason."""
    parts: dict[str, Part] = {}
    for row in connection.execute(
        "SELECT a.context, a.position, a.command, a.data AS now, b.data AS then_"
        " FROM main.decisions a JOIN other.decisions b"
        " ON a.context = b.context AND a.position = b.position AND a.command = b.command"
        " ORDER BY a.command, a.context, a.position"
    ):
        part = parts.setdefault(row["command"], Part(row["command"]))
        part.compared += 1
        if row["now"] != row["then_"]:
            place = f"{row['command']} that led to {row['context']}={row['position']}"
            part.differ(place, json.loads(row["now"]), json.loads(row["then_"]))
    yield from parts.values()


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


def _faults(connection: sqlite3.Connection) -> Iterator[Part]:
    sides = [
        {row["what"]: f"position {row['position']}: {row['error']}" for row in rows}
        for rows in (
            connection.execute("SELECT * FROM main.faults").fetchall(),
            connection.execute("SELECT * FROM other.faults").fetchall(),
        )
    ]
    part = Part("what could not go on")
    for what in sorted({*sides[0], *sides[1]}):
        if sides[0].get(what) != sides[1].get(what):
            part.differ(what, sides[0].get(what), sides[1].get(what))
    if part.differing:
        yield part
