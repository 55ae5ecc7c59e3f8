"""The tables of projections: made, dropped, and moved between live, shadow and previous."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from sqlalchemy import MetaData, Table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from infra.database import Database
from infra.discovery import Projecting


def all_tables(projecting: Projecting) -> tuple[Table, ...]:
    """Return every table that belongs to a projection: what is made, moved and compared."""
    return projecting.tables


def shadow_of(context: str) -> str:
    """Return the schema of the tables that a rebuild fills."""
    return f"{context}_shadow"


def previous_of(context: str) -> str:
    """Return the schema of the tables that were live before the last rebuild."""
    return f"{context}_previous"


@cache
def in_schema(table: Table, schema: str) -> Table:
    """Return the same table in another schema."""
    return table.to_metadata(MetaData(), schema=schema)


async def create_tables(connection: AsyncConnection, tables: Sequence[Table]) -> None:
    """Create the tables and indexes that are not there."""
    for table in tables:
        await connection.execute(CreateTable(table, if_not_exists=True))
    await create_indexes(connection, tables)


async def create_indexes(
    connection: AsyncConnection, tables: Iterable[Table], *, only_unique: bool = False
) -> None:
    """Create the indexes, besides the keys', that are not there."""
    for table in tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if index.unique or not only_unique:
                await connection.execute(CreateIndex(index, if_not_exists=True))


async def vacuum(database: Database, tables: Iterable[Table]) -> None:
    """Have PostgreSQL make room in tables and count their values, as it does now and then."""
    async with database.writer.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for table in tables:
            await connection.exec_driver_sql(f'VACUUM (ANALYZE) "{table.schema}"."{table.name}"')


async def create_shadow(connection: AsyncConnection, tables: Iterable[Table], shadow: str) -> None:
    """Create empty tables to be filled; most of their indexes come when they are full.

    Not PostgreSQL's unique ones: by one a row's open version is found, among ever more versions.
    """
    await create_schema(connection, shadow)
    made = [in_schema(table, shadow) for table in tables]
    for table in made:
        await connection.execute(CreateTable(table))
    if connection.dialect.name != "sqlite":
        await create_indexes(connection, made, only_unique=True)


async def create_schema(connection: AsyncConnection, schema: str) -> None:
    """Create a schema that is not there; SQLite has none."""
    if connection.dialect.name != "sqlite":
        await connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')


async def drop_tables(connection: AsyncConnection, schema: str, names: Iterable[str]) -> None:
    """Drop the tables that are there."""
    for name in names:
        await connection.execute(DropTable(_named(schema, name), if_exists=True))


async def drop_schema(connection: AsyncConnection, schema: str) -> None:
    """Drop an empty schema; SQLite has none."""
    if connection.dialect.name != "sqlite":
        await connection.exec_driver_sql(f'DROP SCHEMA "{schema}"')


async def lock_tables(connection: AsyncConnection, places: Mapping[str, Iterable[str]]) -> None:
    """Keep everybody else away from tables, by schema, until the end of the transaction.

    All at once, and before anything is moved: whoever reads several of them reads one state.
    """
    if connection.dialect.name != "sqlite":
        named = ", ".join(f'"{s}"."{name}"' for s, names in places.items() for name in names)
        await connection.exec_driver_sql(f"LOCK TABLE {named} IN ACCESS EXCLUSIVE MODE")


async def move_tables(
    connection: AsyncConnection, names: Sequence[str], source: str, target: str
) -> None:
    """Move tables from one schema to another, with their keys and rows.

    PostgreSQL moves their indexes too. In SQLite an index keeps its name, which is the file's, so
    they are dropped: make them anew where they are needed.
    """
    await create_schema(connection, target)
    for name in names:
        if connection.dialect.name == "sqlite":
            await _drop_indexes(connection, f"{source}_{name}")
            statement = f'ALTER TABLE "{source}_{name}" RENAME TO "{target}_{name}"'
        else:
            statement = f'ALTER TABLE "{source}"."{name}" SET SCHEMA "{target}"'
        await connection.exec_driver_sql(statement)


async def _drop_indexes(connection: AsyncConnection, table: str) -> None:
    found = await connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
        (table,),
    )
    for (name,) in found.all():
        await connection.exec_driver_sql(f'DROP INDEX "{name}"')


def _named(schema: str, name: str) -> Table:
    return Table(name, MetaData(), schema=schema)
