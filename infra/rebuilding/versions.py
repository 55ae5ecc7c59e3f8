"""Which version of a projection filled its tables: a digest of what its rows follow from."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache

from sqlalchemy import Table
from sqlalchemy.schema import CreateIndex, CreateTable

from infra.discovery import Projecting
from infra.rows.tables import all_tables
from infra.shapes import source_of

LAYER = "projections"
"""Projections use definitions of each other; those of the domain are told by its facts."""


@cache
def version_of(projecting: Projecting) -> str:
    """Return the digest of a projection's tables and of the code that fills them.

    The code is `project` and whatever it names, in its module or in others of the layer: a query
    function, a comment, a docstring or another layout of the same code make no new version.
    """
    tables = all_tables(projecting)
    project = projecting.project
    return _digest([layout_of(tables), *_reached(project.__module__, [project.__name__])])


def layout_of(tables: Iterable[Table]) -> str:
    """Return the digest of the columns, keys and indexes of tables."""
    parts = []
    for table in tables:
        parts.append(str(CreateTable(table)))
        parts.append(str([(c.name, c.default.arg) for c in table.columns if c.default]))  # type: ignore[attr-defined]
        parts += sorted(str(CreateIndex(index)) for index in table.indexes)
    return _digest(parts)


def _digest(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _reached(module: str, names: Iterable[str]) -> Iterator[str]:
    """Yield the statements that names of a module lead to, each with its place, in order."""
    seen: set[tuple[str, str]] = set()
    ahead = [(module, name) for name in sorted(names)]
    found: dict[tuple[str, int, str], str] = {}
    while ahead:
        place = ahead.pop()
        if place in seen:
            continue
        seen.add(place)
        module, name = place
        for number, statement in _definitions(module).get(name, ()):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                source, original = _imported(statement, name)
                found[module, number, name] = f"{name} is {source} {original}"
                if source.startswith(f"{LAYER}."):
                    ahead.append((source, original))
            else:
                found[module, number, ""] = ast.dump(statement)
                ahead += [(module, used) for used in _names(statement)]
    for (module, *_), code in sorted(found.items()):
        yield f"{module}: {code}"


def _imported(statement: ast.Import | ast.ImportFrom, name: str) -> tuple[str, str]:
    """Return the module and the name in it that a statement binds to `name`."""
    source = str(statement.module) if isinstance(statement, ast.ImportFrom) else ""
    for alias in statement.names:
        if name == _as(alias):
            return source, alias.name
    raise LookupError(name)


def _as(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


@cache
def _definitions(module: str) -> dict[str, list[tuple[int, ast.stmt]]]:
    """Return the top-level statements of a module by the names that they bind."""
    found: dict[str, list[tuple[int, ast.stmt]]] = {}
    for number, statement in enumerate(ast.parse(source_of(module)).body):
        _drop_docstrings(statement)
        for name in _bound(statement):
            found.setdefault(name, []).append((number, statement))
    return found


def _bound(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Import() | ast.ImportFrom():
            for alias in statement.names:
                yield _as(alias)
        case _:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


def _names(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _drop_docstrings(statement: ast.stmt) -> None:
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                    node.body = rest or [ast.Pass()]
