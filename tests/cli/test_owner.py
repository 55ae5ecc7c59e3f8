"""PostgreSQL: an owner migrates, and the role that the application has can't change a fact."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import AmbiguousFunction, InsufficientPrivilege
from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy import URL, make_url

from infra.discovery import discover
from infra.ownership import ADDED_TO, CHANGED, READ
from tests.cli.bank import ALICE, opening
from tests.cli.program import Program
from tests.stores import NO_POSTGRES, POSTGRES_VARIABLE

SECRET = "canary-of-the-owner"
WAITING = "01900000-0000-7000-8000-000000000303"
"""A transfer of the demo."""
LOGS = sorted(discover().contexts)
WAYS = {
    "UPDATE": "UPDATE {} SET actor = 'somebody'",
    "DELETE": "DELETE FROM {}",
    "TRUNCATE": "TRUNCATE {}",
}
WAYS_ROUND = (
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} RENAME TO gone",
    "DROP TABLE {} CASCADE",
    "CREATE TRIGGER t BEFORE INSERT ON {} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE changes AS ON INSERT TO {} DO INSTEAD NOTHING",
    "ALTER TABLE {} OWNER TO CURRENT_USER",
)


class House:
    """An empty database with two roles: one owns it, and the application's can connect."""

    def __init__(self, server: str) -> None:
        name = f"aorist_test_{uuid4().hex[:12]}"
        self.owner, self.role, self.name = f"{name}_owner", f"{name}_app", name
        self._server = server
        self._do(
            SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(Identifier(self.owner), Literal(SECRET)),
            SQL("CREATE ROLE {} LOGIN PASSWORD 'app'").format(Identifier(self.role)),
            SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(self.owner)),
        )
        url: URL = make_url(server).set(database=name, username=self.role, password="app")
        self.url = url.render_as_string(hide_password=False)
        self.as_owner = {
            "AORIST_DATABASE_OWNER": self.owner,
            "AORIST_DATABASE_OWNER_PASSWORD": SECRET,
        }

    def _do(self, *statements: psycopg.sql.Composed) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def member(self) -> None:
        """Let the owner be a member of the application's role."""
        self._do(SQL("GRANT {} TO {}").format(Identifier(self.role), Identifier(self.owner)))

    def close(self) -> None:
        self._do(
            SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(self.name)),
            SQL("DROP ROLE {}, {}").format(Identifier(self.role), Identifier(self.owner)),
        )


def _house() -> Iterator[House]:
    server = os.environ.get(POSTGRES_VARIABLE)
    if not server:
        raise RuntimeError(NO_POSTGRES)
    made = House(server)
    yield made
    made.close()


house = pytest.fixture(scope="module")(_house)
empty = pytest.fixture(_house, name="empty")


@pytest.fixture(scope="module")
def aorist(house: House, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program as the application's role, on tables that the owner has made."""
    program = Program(house.url, tmp_path_factory.mktemp("owner"))
    said = program("migrate", env=house.as_owner)
    assert "canary" not in said.out + said.err
    return program


def tables(aorist: Program, context: str, *, owner: str) -> set[str]:
    found = aorist.sql(
        f"SELECT tablename FROM pg_tables WHERE schemaname = '{context}' AND tableowner = '{owner}'"
    )
    return {str(name) for (name,) in found}


def test_the_owner_has_the_log_and_the_application_its_read_models(
    aorist: Program, house: House
) -> None:
    for context in LOGS:
        of_projections = {
            table.name
            for one in discover().projections
            if one.context == context
            for table in one.tables
        }
        assert tables(aorist, context, owner=house.role) == of_projections
        assert tables(aorist, context, owner=house.owner) >= ADDED_TO | READ | CHANGED
    assert "its role may add facts and change none" in aorist("doctor").out


def test_a_whole_run_needs_no_more(aorist: Program) -> None:
    """Commands, processes, parked facts, rebuilds, snapshots, the audit: all as that role."""
    said = aorist("demo").out
    assert "32 accepted" in said
    aorist("check")
    aorist("replay")
    aorist("replay", "banking.account", "--undo")
    aorist("replay", "--prune")
    aorist("check", "--drift", "--repair")
    assert WAITING in aorist("sagas", "list").out
    aorist("sagas", "compensate", WAITING, "--reason", "it was a mistake")
    assert "CompensateProcess" in aorist("audit", "--format", "csv").out


@pytest.mark.parametrize("table", sorted(ADDED_TO))
@pytest.mark.parametrize("way", [*WAYS.values(), *WAYS_ROUND], ids=lambda way: way[:12])
def test_what_was_added_stays_as_it_is(aorist: Program, table: str, way: str) -> None:
    for context in LOGS:
        with pytest.raises(InsufficientPrivilege):
            aorist.sql(way.format(f"{context}.{table}"))


def test_somebody_who_has_the_applications_password_gets_no_further(
    aorist: Program, house: House
) -> None:
    for statement in (
        "DROP SCHEMA banking CASCADE",
        "ALTER SCHEMA banking RENAME TO gone",
        f"SET ROLE {house.owner}",
        "UPDATE banking.alembic_version SET version_num = '0001'",
        "CREATE OR REPLACE FUNCTION banking.append() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        " DROP FUNCTION banking.append CASCADE",
    ):
        with pytest.raises((InsufficientPrivilege, AmbiguousFunction)):
            aorist.sql(statement)


def test_the_application_says_that_it_may_not_migrate(empty: House, tmp_path: Path) -> None:
    owner = make_url(empty.url).set(username=empty.owner, password=SECRET)
    with psycopg.connect(owner.render_as_string(hide_password=False)) as connection:
        connection.execute("CREATE SCHEMA banking")
    program = Program(empty.url, tmp_path)
    assert "run aorist migrate with database_owner" in program("migrate", code=1).err
    own = {**empty.as_owner, "AORIST_DATABASE_OWNER": empty.role}
    assert "must be another one than its owner" in program("migrate", code=1, env=own).err


def test_an_owner_takes_over_what_the_application_has_made(empty: House, tmp_path: Path) -> None:
    server = os.environ[POSTGRES_VARIABLE]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"GRANT CREATE ON DATABASE {empty.name} TO {empty.role}".encode())
    program = Program(empty.url, tmp_path)
    program("migrate")
    assert "may add facts and change none" not in program("doctor").out
    refused = program("migrate", code=1, env=empty.as_owner).err
    assert "be a member of a role that owns tables already" in refused
    empty.member()
    program("migrate", env=empty.as_owner)
    assert "may add facts and change none" in program("doctor").out
    assert "1 accepted" in program("run", program.file(opening(ALICE))).out
