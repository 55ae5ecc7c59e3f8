"""The tables of a log, in versions; run for each context by `migrate`.

Read-model tables are not here: they can be rebuilt from the log, so the engine makes them.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Column, Connection, MetaData, Table, Text, select, text
from sqlalchemy.exc import ProgrammingError

from infra.database import Database
from infra.log.port import LogError

if TYPE_CHECKING:
    # Loaded where tables are made: a program that finds them made does not need it.
    from alembic.config import Config

VERSIONS = Path(__file__).parent / "versions"
IS_THERE = {
    True: "SELECT 1 FROM sqlite_master WHERE name = :context || '_alembic_version'",
    False: "SELECT 1 FROM pg_tables WHERE schemaname = :context AND tablename = 'alembic_version'",
}
"""Whether a context has a revision at all: in SQLite, and in PostgreSQL."""


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


@cache
def latest() -> str:
    """Return the newest revision that this program knows: files are numbered in their order."""
    return max(file.name.partition("_")[0] for file in VERSIONS.glob("[0-9]*.py"))


def version_options(context: str, *, sqlite: bool) -> dict[str, Any]:
    """Return where a context's revision is kept."""
    if sqlite:
        return {"version_table": f"{context}_alembic_version"}
    return {"version_table": "alembic_version", "version_table_schema": context}


def run_script(name: str) -> None:
    """Run a revision's SQL, written for the kind of store at hand, for the context."""
    from alembic import context as alembic
    from alembic import op

    connection = op.get_bind()
    file = VERSIONS / f"{name}.{connection.dialect.name}.sql"
    script = file.read_text(encoding="utf-8")
    for statement in script.replace("{context}", alembic.config.attributes["context"]).split(
        "\n---\n"
    ):
        connection.exec_driver_sql(statement)


class NotTheOwner(LogError):
    """The tables are to be migrated, by another role than this one."""


async def migrate(database: Database, context: str) -> None:
    """Bring the log tables of `context` to the newest revision; creates its schema.

    Raises `NotTheOwner`.
    """
    if await revision(database, context) == latest():
        return  # the usual case, and much faster than to have it found out by alembic

    def upgrade(connection: Connection) -> None:
        from alembic import command

        if not database.is_sqlite:
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{context}"'))
        config = _config()
        config.attributes.update(connection=connection, context=context)
        command.upgrade(config, "head")

    if await revision(database, context) == latest():
        return
    try:
        await _upgrade(database, upgrade)
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise NotTheOwner(
                f"{context}: its tables in {database} are not those of this program, and this role "
                "may not change them; run aorist migrate with database_owner"
            ) from error
        raise


async def _upgrade(database: Database, upgrade: Callable[[Connection], None]) -> None:
    async with database.write() as connection:
        # Two processes may start at once: the second waits, then finds nothing to do.
        await database.lock_structure(connection)
        await connection.run_sync(upgrade)


async def revision(database: Database, context: str) -> str | None:
    """Return the revision that the log of `context` is at; None when it has no tables."""
    async with database.read() as connection:
        there = await connection.execute(text(IS_THERE[database.is_sqlite]), {"context": context})
        if there.scalar() is None:
            return None
        return (await connection.execute(select(_kept_in(context)))).scalar()


@cache
def _kept_in(context: str) -> Table:
    return Table("alembic_version", MetaData(), Column("version_num", Text), schema=context)
