"""Values go to databases as bound parameters; what is put into SQL as text is known by name.

An identifier can't be bound. So the few places that compose SQL are listed, each with the
expressions that it may put in: names of contexts, tables and columns, which come from the code.
"""

import ast
import re
from collections.abc import Iterator, Sequence

import pytest

from tests.source import LAYERS, expect_none, python_files, shown, tree

KEYWORD = re.compile(
    r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|TRUNCATE|LOCK TABLE|VACUUM|COPY|"
    r"SET LOCAL|GRANT|REVOKE|FROM|WHERE|ORDER BY|VALUES|JOIN|LIMIT|ATTACH|PRAGMA)\b"
)
COMPOSERS = ("format", "join", "replace")
CONTEXT = {"context", "self.context", "home"}
"""Names of folders, which are modules of Python: `domain/<context>`."""
IN_ROWSETS = (
    "_unnest(given) _unnest(self._columns) _unnest(self._keys) all_ changed keys place same"
)
KNOWN: dict[str, set[str]] = {
    # `value` is the placeholder of the store at hand.
    "infra/caching/stamps.py": {"dot", "home", "projecting.context", "value"},
    # Files of ours, compared with each other: tables and columns as their shapes name them, quoted.
    "infra/candidates/contrast.py": set(
        "a b mine name order other same schema shape.name there".split()
    ),
    "infra/database.py": {"kind"},  # one of two words beside it
    "infra/log/postgres.py": CONTEXT
    | {"EVENT_COLUMNS", "PARAMETERS", "condition", "order", "rows.RECEIPT_COLUMNS"}
    | {"' AND '.join(['number > %(after)s', *conditions])"},  # of RECEIPT_FILTERS, by their names
    "infra/log/recorder.py": {"self._log.table('readers')"},
    "infra/log/snapshots.py": {
        *("INSERT[self._log.database.is_sqlite]", "OWN[sqlite]", "SELECT[sqlite]"),
        *("STREAM[sqlite]", "self._log.table('snapshots')", "table", "' DESC' if desc else ''"),
        *("'' if gt is None else ' AND version > :gt'", "'' if limit is None else ' LIMIT :limit'"),
        "'' if lte is None else ' AND version <= :lte'",
    },
    "infra/log/sqlite.py": CONTEXT
    | {"condition", "rows.EVENT_COLUMNS", "rows.RECEIPT_COLUMNS"}
    | {"' AND '.join(conditions)"},  # of RECEIPT_FILTERS, by their names
    "infra/log/sqlite_append.py": {"rows.RECEIPT_COLUMNS", "table"},
    "infra/log/sqlite_batch.py": {"rows.RECEIPT_COLUMNS", "RECEIPT", "UNSEAL"},
    "infra/migrations/__init__.py": CONTEXT,
    "infra/moves.py": CONTEXT,
    "infra/rebuilding/generations.py": {"LOCK_WAIT_MS"},
    # Tables and columns of projections, quoted by SQLAlchemy.
    "infra/rows/copying.py": {"names", "place"},
    "infra/rows/rowsets.py": {
        *IN_ROWSETS.split(),
        *("', '.join(places)", "given[-1].quoted", "places[-1]", "self._place", "wanted"),
    },
    "infra/rows/tables.py": set("name named schema source table.name table.schema target".split()),
    # The name of a database that `make services` makes.
    "infra/services/postgres.py": {"name"},
}
INSTEAD = (
    "bind the value (`:name`, `%s`, `?`), or build the statement by SQLAlchemy or `psycopg.sql`. "
    "Only for an identifier that no caller can choose, add the expression to KNOWN, and say why."
)


def composed(module: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the source of each expression that is put into SQL as text."""
    for node in ast.walk(module):
        texts, put_in = _parts(node)
        if any(isinstance(text, str) and KEYWORD.search(text) for text in texts):
            for one in put_in:
                yield getattr(node, "lineno", 0), ast.unparse(one)


def _parts(node: ast.AST) -> tuple[Sequence[object], list[ast.expr]]:
    """Return the constant parts of a composed text, and what is put between them."""
    match node:
        case ast.JoinedStr(values=values):
            texts = [one.value for one in values if isinstance(one, ast.Constant)]
            return texts, [one.value for one in values if isinstance(one, ast.FormattedValue)]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=text), attr=name), args=args):
            found = [*args, *(keyword.value for keyword in node.keywords)]
            return [text], found if name in COMPOSERS else []
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            sides = (left, right)
            texts = [one.value for one in sides if isinstance(one, ast.Constant)]
            return texts, [one for one in sides if not isinstance(one, ast.Constant)]
    return [], []


def test_nothing_but_known_names_is_put_into_sql() -> None:
    found: dict[str, set[str]] = {}
    problems = []
    for path in python_files(*LAYERS):
        file = shown(path)
        for line, expression in composed(tree(path)):
            found.setdefault(file, set()).add(expression)
            if expression not in KNOWN.get(file, set()):
                problems.append(f"{file}:{line} puts {expression} into SQL as text")
    gone = [
        f"{file}: KNOWN has {expression}, which is not put into SQL there any more"
        for file, expressions in KNOWN.items()
        for expression in expressions - CONTEXT - found.get(file, set())
    ]
    expect_none(problems + gone, INSTEAD)


@pytest.mark.parametrize(
    "wrong",
    [
        "connection.execute(f\"SELECT * FROM users WHERE name = '{name}'\")",
        "text(f'DELETE FROM users WHERE name = {name}')",
        "cursor.execute('SELECT * FROM users WHERE name = %s' % name)",
        "cursor.execute('SELECT * FROM users WHERE name = ' + name)",
        "cursor.execute('SELECT * FROM {}'.format(name))",
        "cursor.execute('SELECT * FROM users WHERE id IN (' + ', '.join(name) + ')')",
        "statement += f' ORDER BY {name}'",
    ],
)
def test_the_rule_finds_what_is_put_into_sql(wrong: str) -> None:
    assert any("name" in expression for _, expression in composed(ast.parse(wrong)))


@pytest.mark.parametrize(
    "right",
    [
        "connection.execute(text('SELECT * FROM users WHERE name = :name'), {'name': name})",
        "cursor.execute('SELECT * FROM users WHERE name = %s', [name])",
        "select(users).where(users.c.name == name)",
        "fail(f'no user is called {name}')",
    ],
)
def test_the_rule_leaves_parameters_and_sentences_alone(right: str) -> None:
    assert not list(composed(ast.parse(right)))
