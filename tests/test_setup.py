"""What a fresh machine installs and starts: the lock, and PostgreSQL without containers."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.services import postgres
from tests.checkout import Checkout, bare_checkout_or_skip
from tests.source import ROOT

LOCK = (ROOT / "requirements.lock").read_text()


def test_the_lock_has_every_dependency_at_a_version_that_pyproject_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    pinned: dict[str, str] = dict(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", LOCK, re.MULTILINE))
    wrong = [
        str(requirement)
        for requirement in map(Requirement, wanted)
        if pinned.get(canonicalize_name(requirement.name), "none") not in requirement.specifier
    ]
    assert not wrong, f"not in requirements.lock: {wrong}. Instead: run `make lock`."


def test_the_lock_names_no_registry_and_hashes_everything() -> None:
    assert "://" not in LOCK, "make lock writes no address: anyone's registry will do"
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        assert "--hash=sha256:" in entry, f"no hash: {entry}. Instead: run `make lock`."


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Checkout]:
    yield from bare_checkout_or_skip(tmp_path)


def test_the_server_is_found_running_and_keeps_its_data_when_it_was_stopped(bare: Checkout) -> None:
    assert "started" in bare.services("start")
    with psycopg.connect(bare.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first = bare.url()

    assert "already running" in bare.services("start")
    assert bare.url() == first

    assert "stopped" in bare.services("stop")
    assert "was not running" in bare.services("stop")
    assert "started" in bare.services("start")
    with psycopg.connect(bare.url()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_machine_that_went_down_leaves_no_obstacle(bare: Checkout) -> None:
    bare.services("start")
    bare.services("stop")
    data = bare.folder / ".services/postgres/data"
    # The process id in the file that the server left is another program's by now.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data.resolve()}\n0\n5432\n")

    assert "started" in bare.services("start")


def test_the_server_is_durable_and_keeps_to_itself(bare: Checkout) -> None:
    bare.services("start")
    with psycopg.connect(bare.url("AORIST_TEST_POSTGRES_URL")) as connection:
        rows = connection.execute("SELECT name, setting FROM pg_settings").fetchall()
    settings: dict[str, str] = dict(rows)
    assert settings["fsync"] == settings["synchronous_commit"] == "on"
    assert settings["listen_addresses"] == "127.0.0.1"
    assert int(settings["server_version_num"]) >= 15_00_00
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(bare.url().replace(postgres.USER + ":", postgres.USER + ":not"))
    assert (bare.folder / ".services/env").stat().st_mode & 0o077 == 0


def test_containers_are_used_where_docker_answers(tmp_path: Path) -> None:
    docker = 'echo "$@" >>calls; case "$*" in *port*) echo 127.0.0.1:5433 ;; esac'
    checkout = Checkout(tmp_path, docker=docker)
    assert "in a container, on port 5433" in checkout.services("start")
    assert checkout.url() == "postgresql://aorist:aorist@127.0.0.1:5433/aorist"
    calls = (tmp_path / "calls").read_text()
    assert re.search(r"compose --project-name aorist-\w+ up --detach --wait postgres", calls)
    assert "exec -T postgres psql --username aorist" in calls
