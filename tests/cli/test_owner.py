"""PostgreSQL: an owner migrates, and the role that the application has can't change a fact."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import AmbiguousFunction, InsufficientPrivilege
from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy import make_url

from infra.discovery import discover
from infra.ownership import ADDED_TO, LOG
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
    """An empty database that a role owns; the application's role is missing."""

    def __init__(self, server: str) -> None:
        name = f"aorist_test_{uuid4().hex[:12]}"
        self.owner, self.role, self.name = f"{name}_owner", f"{name}_app", name
        self._server = server
        self._do(
            SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(
                Identifier(self.owner), Literal(SECRET)
            ),
            SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(self.owner)),
        )
        self.url = self._url(self.role, "app")
        self.owners_url = self._url(self.owner, SECRET)
        self.as_owner = {
            "AORIST_DATABASE_OWNER": self.owner,
            "AORIST_DATABASE_OWNER_PASSWORD": SECRET,
        }

    def _url(self, role: str, password: str) -> str:
        url = make_url(self._server).set(database=self.name, username=role, password=password)
        return url.render_as_string(hide_password=False)

    def _do(self, *statements: psycopg.sql.Composed) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def do(self, *statements: LiteralString) -> None:
        """Run statements as one who may: `{owner}`, `{role}` and `{house}` are names."""
        names = {"owner": self.owner, "role": self.role, "house": self.name}
        given = {name: Identifier(value) for name, value in names.items()}
        self._do(*(SQL(statement).format(**given) for statement in statements))

    def close(self) -> None:
        self.do(
            "DROP DATABASE {house} WITH (FORCE)",
            "DROP ROLE IF EXISTS {role}",
            "DROP ROLE {owner}",
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
        assert tables(aorist, context, owner=house.owner) == LOG
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


def test_the_role_that_is_made_has_no_powers_and_its_password_was_not_told(
    aorist: Program, house: House
) -> None:
    (rights,) = aorist.sql(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,"
        f" rolcanlogin FROM pg_roles WHERE rolname = '{house.role}'"
    )
    assert rights == (False, True)
    password = make_url(house.url).password
    with psycopg.connect(os.environ[POSTGRES_VARIABLE]) as connection:
        kept = connection.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = %s", [house.role]
        ).fetchone()
    assert kept is not None
    assert str(kept[0]).startswith("SCRAM-SHA-256$")
    assert str(password) not in str(kept[0])


def test_migrating_again_changes_nothing(aorist: Program, house: House) -> None:
    def rights() -> list[Sequence[Any]]:
        return aorist.sql(
            "SELECT relname, relowner, relacl::text FROM pg_class WHERE relacl IS NOT NULL"
            " UNION SELECT datname, datdba, datacl::text FROM pg_database"
            f" WHERE datname = '{house.name}'"
            " UNION SELECT nspname, nspowner, nspacl::text FROM pg_namespace ORDER BY 1, 3"
        )

    before = rights()
    aorist("migrate", env=house.as_owner)
    assert rights() == before


def test_the_application_says_that_it_may_not_migrate(empty: House, tmp_path: Path) -> None:
    program = Program(empty.url, tmp_path)
    assert (
        "Its role is made by aorist migrate with database_owner" in program("migrate", code=1).err
    )
    empty.do("CREATE ROLE {role} LOGIN PASSWORD 'app'")
    with psycopg.connect(empty.owners_url) as connection:
        connection.execute("CREATE SCHEMA banking")
    assert "run aorist migrate with database_owner" in program("migrate", code=1).err
    own = {**empty.as_owner, "AORIST_DATABASE_OWNER": empty.role}
    assert "must be another one than its owner" in program("migrate", code=1, env=own).err


def test_an_owner_that_may_not_make_the_role_says_what_to_do(empty: House, tmp_path: Path) -> None:
    empty.do("ALTER ROLE {owner} NOCREATEROLE")
    program = Program(empty.url, tmp_path)
    said = program("migrate", code=1, env=empty.as_owner).err
    assert f"{empty.owner!r} may not make the application's role {empty.role!r}" in said
    assert "let it (CREATEROLE), or make that role (LOGIN) as one who may" in said


@pytest.mark.parametrize(
    "excess",
    [
        "ALTER ROLE {role} SUPERUSER",
        "ALTER ROLE {role} CREATEROLE",
        "GRANT {owner} TO {role}",
        "GRANT pg_write_all_data TO {role}",
    ],
)
def test_a_role_that_could_change_facts_all_the_same_is_refused(
    aorist: Program, house: House, excess: LiteralString
) -> None:
    house.do(excess)
    try:
        refused = aorist("migrate", "--context", "banking", code=1, env=house.as_owner).err
        told = aorist("doctor").out
    finally:
        house.do(
            "ALTER ROLE {role} NOSUPERUSER NOCREATEROLE",
            "REVOKE {owner}, pg_write_all_data FROM {role}",
        )
    assert f"{house.role!r} could change facts all the same" in refused
    assert "its role could change facts" in told


def test_an_owner_that_may_give_no_rights_is_told_so(empty: House, tmp_path: Path) -> None:
    empty.do(
        "ALTER DATABASE {house} OWNER TO CURRENT_USER",
        "GRANT CREATE ON DATABASE {house} TO {owner}",
    )
    refused = Program(empty.url, tmp_path)("migrate", code=1, env=empty.as_owner).err
    assert f"let {empty.owner!r} own the database" in refused


def test_an_owner_takes_over_what_the_application_has_made(empty: House, tmp_path: Path) -> None:
    empty.do(
        "CREATE ROLE {role} LOGIN PASSWORD 'app'",
        "GRANT CREATE ON DATABASE {house} TO {role}",
        "ALTER ROLE {owner} NOCREATEROLE",
    )
    program = Program(empty.url, tmp_path)
    program("migrate")
    assert "its role could change facts" in program("doctor").out
    refused = program("migrate", code=1, env=empty.as_owner).err
    assert "be a member of a role that owns tables already" in refused
    empty.do("GRANT {role} TO {owner}")
    program("migrate", env=empty.as_owner)
    assert "may add facts and change none" in program("doctor").out
    assert "1 accepted" in program("run", program.file(opening(ALICE))).out


def test_an_owner_hands_over_the_read_models_that_it_made_as_the_only_role(
    empty: House, tmp_path: Path
) -> None:
    alone = Program(empty.owners_url, tmp_path)
    alone("run", alone.file(opening(ALICE)))
    alone("replay", "banking.account")  # leaves a schema with the previous tables
    program = Program(empty.url, tmp_path)
    program("migrate", env=empty.as_owner)
    assert "may add facts and change none" in program("doctor").out
    program("replay", "banking.account", "--undo")
    program("replay", "--prune")
    program("replay", "banking.account")
    program("check")
