"""Whose a log is in PostgreSQL: a role's that migrates it, and that the application is not.

The application's role adds facts, receipts and interventions; it can't change or delete one. The
tables of projections are its own: it makes, swaps and drops them when it rebuilds them.
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Composed, Identifier
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ProgrammingError

from infra.database import Database, driver_of, first_line
from infra.migrations import migrate
from infra.reach import reach
from infra.settings import Settings

ADDED_TO = frozenset({"events", "receipts", "interventions"})
"""Tables that only grow."""
READ = frozenset({"alembic_version"})
CHANGED = frozenset(
    {"head", "readers", "deadlines", "snapshots", "rebuilds", "versions"}
    | {"parked", "watched", "breaches"}
)
"""What else a log has had: positions and the like, which follow from the facts or are used up."""
OWNER_CONNECTIONS = 2
CHANGES_OF_FACTS = ("UPDATE", "DELETE", "TRUNCATE")

Connection = psycopg.AsyncConnection[Any]


class NoOwner(LookupError):
    """The owner of a log is not one; the message says why and what to do."""


async def migrate_as_owner(settings: Settings, contexts: Iterable[str]) -> None:
    """Bring logs up to date as the role that owns them, and give the application its rights.

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
    database = Database(owner.render_as_string(hide_password=False), OWNER_CONNECTIONS)
    try:
        await reach(database)
        await migrate(database, context)
        async with database.write() as connection:
            await database.lock_structure(connection)
            await _give(driver_of(connection), context, str(url.username))
    except (psycopg.ProgrammingError, ProgrammingError) as error:
        if not isinstance(getattr(error, "orig", error), InsufficientPrivilege):
            raise
        raise NoOwner(
            f"{context}: {settings.database_owner!r} may not do that: {first_line(error)}; "
            "let it own the database, and be a member of a role that owns tables already"
        ) from error
    finally:
        await database.close()


async def _give(owner: Connection, context: str, role: str) -> None:
    """Own the log's tables, and let the application's role do with each what it needs to."""
    schema, to = Identifier(context), Identifier(role)
    await _own(owner, context)
    found = await owner.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tableowner = current_user",
        [context],
    )
    for (name,) in await found.fetchall():
        table = Identifier(context, name)
        await owner.execute(SQL("REVOKE ALL ON {} FROM {}").format(table, to))
        await owner.execute(SQL("GRANT {} ON {} TO {}").format(_rights(name), table, to))
    # For its own tables: those of projections, and the schemas in which it rebuilds them.
    await owner.execute(SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(schema, to))
    database = Identifier(owner.info.dbname)
    await owner.execute(SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, to))


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
        [context, sorted(ADDED_TO | READ | CHANGED)],
    )
    taken += [
        SQL("ALTER TABLE {}").format(Identifier(context, n)) for (n,) in await others.fetchall()
    ]
    if taken:
        taken.append(SQL("ALTER FUNCTION {}").format(Identifier(context, "append")))
    for thing in taken:
        await owner.execute(thing + SQL(" OWNER TO CURRENT_USER"))


async def may_change_facts(database: Database, context: str) -> bool:
    """Tell whether the application's role could change facts, or delete them."""
    if database.is_sqlite:
        return True
    async with database.read() as connection:
        found = await driver_of(connection).execute(
            "SELECT bool_or(has_table_privilege(format('%%I.events', %s::text), change))"
            " FROM unnest(%s::text[]) AS change",
            [context, list(CHANGES_OF_FACTS)],
        )
        return bool((await found.fetchone() or [True])[0])
