"""A clean store for each test: a SQLite file, or schemas in a real PostgreSQL."""

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from infra.settings import Settings
from infra.wiring import open_system
from tests.probe.features import FEATURES

POSTGRES_VARIABLE = "AORIST_TEST_POSTGRES_URL"
STORES = ("sqlite", "postgres")
PASSWORD = secrets.token_hex(16)
SIDES = ("Client", "Server")
NO_POSTGRES = (
    f"{POSTGRES_VARIABLE} is not set: run `make services`, or the whole suite by `make test`"
)


class Stores:
    """Hands out empty, migrated stores; migrates once and empties or copies after that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template: Path | None = None
        self._database: str | None = None
        self._hands: psycopg.Connection[Any] | None = None
        """What empties the database: it knows the tables by now."""
        self._settings = Settings(
            development=True,
            database_connections=4,
            reader_poll_ms=20,
            timer_poll_ms=20,
            keys_folder=folder / "keys",
            password_memory_kib=8,
            password_passes=1,
            login_tries=10_000,
            caller_requests=1_000_000_000,
        )

    def settings(self, store: str) -> Settings:
        """Return settings for an empty store of the kind."""
        url = self._sqlite() if store == "sqlite" else self._postgres()
        mail = self._folder / "mail" / uuid4().hex
        return self._settings.model_copy(update={"database_url": url, "mail_folder": mail})

    def _sqlite(self) -> str:
        if self._template is None:
            self._template = self._folder / "template.db"
            _prepare(f"sqlite:///{self._template}")
            _without_tokens(self._template)
        file = self._folder / f"{uuid4().hex}.db"
        shutil.copyfile(self._template, file)
        return f"sqlite:///{file}"

    def _postgres(self) -> str:
        server = os.environ.get(POSTGRES_VARIABLE)
        if not server:
            raise RuntimeError(NO_POSTGRES)
        if self._database is None:
            self._database = f"aorist_test_{uuid4().hex[:12]}"
            with psycopg.connect(server, autocommit=True) as connection:
                role = f"ROLE {self._database} SUPERUSER LOGIN PASSWORD '{_verifier(PASSWORD)}'"
                connection.execute(f"CREATE {role}".encode())
                connection.execute(f"CREATE DATABASE {self._database} OWNER {self._database}")
            _prepare(self._url(server))
            _remember(self._url(server))
        else:
            self._empty(self._url(server))
        return self._url(server)

    def _empty(self, url: str) -> None:
        if self._hands is None or self._hands.closed:
            self._hands = psycopg.connect(url, autocommit=True)
        try:
            _empty(self._hands)
        except psycopg.OperationalError:  # a test has ended whoever was connected
            self._hands = psycopg.connect(url, autocommit=True)
            _empty(self._hands)

    def _url(self, server: str) -> str:
        own = make_url(server).set(
            username=self._database, password=PASSWORD, database=self._database
        )
        return own.render_as_string(hide_password=False)

    def close(self) -> None:
        """Drop what was made."""
        if self._hands is not None:
            self._hands.close()
        if self._database is not None:
            with psycopg.connect(os.environ[POSTGRES_VARIABLE], autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {self._database} WITH (FORCE)")
                connection.execute(f"DROP ROLE {self._database}")


def _verifier(password: str) -> str:
    """Return what PostgreSQL keeps of a password, for one round of hashing.

    Its 4,096 take a client 2 ms at each connection, of which tests make thousands.
    """
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client, server = (hmac.digest(salted, f"{who} Key".encode(), "sha256") for who in SIDES)
    kept = (salt, hashlib.sha256(client).digest(), server)
    salt64, client64, server64 = (base64.b64encode(one).decode() for one in kept)
    return f"SCRAM-SHA-256$1:{salt64}${client64}:{server64}"


def _prepare(url: str) -> None:
    async def migrate() -> None:
        for features in (None, FEATURES):  # those of the program, and the tests' own
            settings = Settings(database_url=url, database_connections=2)
            await (await open_system(settings, features=features)).close()

    asyncio.run(migrate())


def _without_tokens(file: Path) -> None:
    """Forget by what caches know a store: each copy is a store of its own."""
    with closing(sqlite3.connect(file)) as connection, connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            if table.endswith("_cached"):
                connection.execute(f"DELETE FROM {table}")


def _remember(url: str) -> None:
    """Keep which code made the tables: they are not made again for each test."""
    with psycopg.connect(url, autocommit=True) as connection:
        for (context,) in _homes(connection, "versions"):
            connection.execute(f"CREATE TABLE public.made_{context} AS TABLE {context}.versions")


def _homes(connection: psycopg.Connection[Any], table: str) -> list[tuple[str]]:
    found = connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = %s", (table,))
    return [row for row in found if not row[0].endswith(("_previous", "_shadow"))]


def _empty(connection: psycopg.Connection[Any]) -> None:
    # Deleting is much faster than truncating when tables are small, and looking is faster still.
    tables = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        # Nor the temporary tables of whoever has just gone away: they go by themselves.
        " WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'"
        " AND tablename NOT IN ('alembic_version', 'head') AND schemaname <> 'public'"
    ).fetchall()
    look = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for (table,) in tables
    )
    statements = [f"DELETE FROM {table}" for (table,) in connection.execute(look)]
    heads = [f"{home}.head" for (home,) in _homes(connection, "head")]
    statements += [f"UPDATE {head} SET position = 0, time = '-infinity'" for head in heads]
    statements += [
        f"INSERT INTO {home}.versions TABLE public.made_{home}"
        for (home,) in _homes(connection, "versions")
        if connection.execute("SELECT to_regclass(%s)", (f"public.made_{home}",)).fetchone()
        != (None,)
    ]
    connection.execute("; ".join(statements))


def stores(folder: Path) -> Iterator[Stores]:
    """Yield the stores of a test run and drop them at its end."""
    made = Stores(folder)
    try:
        yield made
    finally:
        made.close()
