"""Whose a log is in PostgreSQL: a role's that migrates it, and that the application is not.

The application's role adds facts, receipts and interventions; it can't change or delete one. The
tables of projections are its own: it makes, swaps and drops them when it rebuilds them. The owner
makes that role where there is none, and tells when it could do more than that all the same.
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import NULL, SQL, Composable, Composed, Identifier, Literal
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ProgrammingError

from infra.database import Database, driver_of, first_line
from infra.migrations import NotTheOwner, migrate
from infra.reach import reach
from infra.rows.tables import previous_of, shadow_of
from infra.settings import Settings

ADDED_TO = frozenset({"events", "receipts", "interventions"})
"""Tables that only grow."""
READ = frozenset({"alembic_version"})
CHANGED = frozenset(
    {"head", "readers", "deadlines", "snapshots", "rebuilds", "versions"}
    | {"parked", "watched", "breaches", "cached"}
)
"""What else a log has had: positions and the like, which follow from the facts or are used up."""
LOG = ADDED_TO | READ | CHANGED
OWNER_CONNECTIONS = 2
CHANGES = "UPDATE, DELETE, TRUNCATE"
ELSEWHERE = "password"
"""Where a URL may have its password, too: behind its question mark."""
VERIFIER = b"scram-sha-256"
SET_SINCE = 16_00_00
"""The first PostgreSQL in which a member of a role may lack the right to become it."""

Connection = psycopg.AsyncConnection[Any]


class NoOwner(LookupError):
    """The owner of a log is not one; the message says why and what to do."""


async def migrate_as_owner(settings: Settings, contexts: Iterable[str]) -> None:
    """Bring logs up to date as the role that owns them, and give the application its role.

    SQLite has no roles: whoever may write the file may change all of it. Raises `NoOwner`, or
    `StoreAway`.
    """
    for context in contexts:
        url = make_url(settings.url_of(context))
        if url.get_backend_name() != "sqlite":
            await _migrate(url, settings, context)


async def _migrate(url: URL, settings: Settings, context: str) -> None:
    if url.username in (None, settings.database_owner):
        raise NoOwner(
            f"{context}: the application's role must be another one than its owner "
            f"{settings.database_owner!r}; name it in the database's URL"
        )
    password = settings.database_owner_password.get_secret_value() or None
    owner = url.set(username=settings.database_owner, password=password)
    owner = owner.difference_update_query([ELSEWHERE])
    database = Database(owner.render_as_string(hide_password=False), OWNER_CONNECTIONS)
    may_not = f"{context}: {settings.database_owner!r} may not"
    try:
        await reach(database)
        async with database.write() as connection:
            await database.lock_structure(connection)
            await _make(driver_of(connection), url, may_not)
        await migrate(database, context)
        async with database.write() as connection:
            await database.lock_structure(connection)
            await _give(driver_of(connection), context, str(url.username))
    except (psycopg.ProgrammingError, ProgrammingError, NotTheOwner) as error:
        cause: Any = error.__cause__ if isinstance(error, NotTheOwner) else error
        if not isinstance(getattr(cause, "orig", cause), InsufficientPrivilege):
            raise
        raise NoOwner(
            f"{may_not} do that: {first_line(cause)}; "
            "let it own the database, and be a member of a role that owns tables already"
        ) from error
    finally:
        await database.close()


async def _make(owner: Connection, url: URL, may_not: str) -> None:
    """Make the application's role where there is none, with the password that its URL has."""
    role = str(url.username)
    found = await owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    if await found.fetchone():
        return
    password: Composable = NULL
    if text := str(url.password or url.query.get(ELSEWHERE, "")).encode():
        # What the server is sent, and may log, is no password.
        password = Literal(owner.pgconn.encrypt_password(text, role.encode(), VERIFIER).decode())
    try:
        await owner.execute(
            SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(role), password)
        )
    except InsufficientPrivilege as error:
        raise NoOwner(
            f"{may_not} make the application's role {role!r}, which there is not yet: "
            "let it (CREATEROLE), or make that role (LOGIN) as one who may"
        ) from error


async def _give(owner: Connection, context: str, role: str) -> None:
    """Own the log's tables, and let the application's role do with each what it needs to."""
    schema, to = Identifier(context), Identifier(role)
    await _own(owner, context)
    # For its own tables: those of projections, and the schemas in which it rebuilds them.
    await owner.execute(SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(schema, to))
    database = Identifier(owner.info.dbname)
    await owner.execute(SQL("GRANT CONNECT, CREATE ON DATABASE {} TO {}").format(database, to))
    await _hand_over(owner, context, role)
    for name in sorted(LOG):
        table = Identifier(context, name)
        await owner.execute(SQL("REVOKE ALL ON {} FROM {}").format(table, to))
        await owner.execute(SQL("GRANT {} ON {} TO {}").format(_rights(name), table, to))
    await _verify(owner, context, role)


def _rights(table: str) -> SQL:
    if table in READ:
        return SQL("SELECT")
    return SQL("SELECT, INSERT") if table in ADDED_TO else SQL("SELECT, INSERT, UPDATE, DELETE")


async def _own(owner: Connection, context: str) -> None:
    """Take over what the application made while it had no owner beside it."""
    found = await owner.execute(
        "SELECT nspowner = current_user::regrole FROM pg_namespace WHERE nspname = %s", [context]
    )
    taken: list[Composed] = []
    if await found.fetchone() != (True,):
        taken.append(SQL("ALTER SCHEMA {}").format(Identifier(context)))
    others = await owner.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename = ANY(%s)"
        " AND tableowner <> current_user",
        [context, sorted(LOG)],
    )
    taken += [
        SQL("ALTER TABLE {}").format(Identifier(context, n)) for (n,) in await others.fetchall()
    ]
    if taken:
        taken.append(SQL("ALTER FUNCTION {}").format(Identifier(context, "append")))
    for thing in taken:
        await owner.execute(thing + SQL(" OWNER TO CURRENT_USER"))


async def _hand_over(owner: Connection, context: str, role: str) -> None:
    """Let the application have the read models that the owner made while it was the only role."""
    rebuilt = [shadow_of(context), previous_of(context)]
    schemas = await owner.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)"
        " AND nspowner = current_user::regrole",
        [rebuilt],
    )
    tables = await owner.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE tableowner = current_user"
        " AND (schemaname = ANY(%s) OR schemaname = %s AND tablename <> ALL(%s))",
        [rebuilt, context, sorted(LOG)],
    )
    given = [SQL("SCHEMA {}").format(Identifier(*row)) for row in await schemas.fetchall()]
    given += [SQL("TABLE {}").format(Identifier(*row)) for row in await tables.fetchall()]
    if given:
        await _become(owner, role)
    for thing in given:
        await owner.execute(SQL("ALTER {} OWNER TO {}").format(thing, Identifier(role)))


async def _become(owner: Connection, role: str) -> None:
    """Let the owner be a member of a role, as one has to be to give it something."""
    right = "SET" if owner.info.server_version >= SET_SINCE else "MEMBER"
    found = await owner.execute("SELECT pg_has_role(%s, %s)", [role, right])
    if await found.fetchone() != (True,):
        await owner.execute(SQL("GRANT {} TO CURRENT_USER").format(Identifier(role)))


async def _verify(owner: Connection, context: str, role: str) -> None:
    """Raise `NoOwner` when the role has got more or less than was given to it."""
    if await _may_change(owner, context, role):
        raise NoOwner(
            f"{context}: {role!r} could change facts all the same: it is a superuser, may make "
            "roles, or is a member of one that may; take that from it, or name another role in the "
            "database's URL"
        )
    found = await owner.execute(
        "SELECT has_database_privilege(%s, current_database(), 'CREATE')", [role]
    )
    if await found.fetchone() != (True,):  # one who may not grant it is only warned
        raise NoOwner(
            f"{context}: {role!r} could not make the schemas in which it rebuilds read models; "
            f"let {owner.info.user!r} own the database"
        )


async def may_change_facts(database: Database, context: str) -> bool:
    """Tell whether the application's role could change facts, or delete them."""
    if database.is_sqlite:
        return True
    async with database.read() as connection:
        driver = driver_of(connection)
        return await _may_change(driver, context, driver.info.user)


async def _may_change(connection: Connection, context: str, role: str) -> bool:
    found = await connection.execute(
        "SELECT bool_or(r.rolcreaterole OR pg_has_role(r.oid, t.relowner, 'MEMBER')"
        " OR has_table_privilege(r.oid, t.oid, %(changes)s))"
        " FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace, pg_roles r"
        " WHERE s.nspname = %(context)s AND t.relname = ANY(%(tables)s) AND r.rolname = %(role)s",
        {"role": role, "changes": CHANGES, "context": context, "tables": sorted(ADDED_TO)},
    )
    return bool((await found.fetchone() or [True])[0])
