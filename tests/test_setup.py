"""What a fresh machine installs and starts: the lock, and services without containers."""

import os
import re
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from psycopg.errors import InsufficientPrivilege
from redis import Redis
from redis.exceptions import AuthenticationError
from sqlalchemy import make_url

from infra.services import postgres, redis
from infra.services._brokers import jars_folder
from tests.brokers import KAFKA_VARIABLE, make_topic, producer, values
from tests.checkout import Checkout, bare_checkout, bare_checkout_or_skip
from tests.cli.bank import ALICE, opening
from tests.cli.program import Program
from tests.source import ROOT
from tests.stores import POSTGRES_VARIABLE

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
    assert "started" in bare.services("start", "postgres")
    first = bare.url(POSTGRES_VARIABLE)
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    assert "already running" in bare.services("start", "postgres")
    assert bare.url(POSTGRES_VARIABLE) == first

    assert "stopped" in bare.services("stop", "postgres")
    assert "was not running" in bare.services("stop", "postgres")
    assert "started" in bare.services("start", "postgres")
    with psycopg.connect(bare.url(POSTGRES_VARIABLE)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_machine_that_went_down_leaves_no_obstacle(bare: Checkout) -> None:
    bare.services("start", "postgres")
    bare.services("stop", "postgres")
    data = bare.folder / ".services/postgres/data"
    # The process id in the file that the server left is another program's by now.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data.resolve()}\n0\n5432\n")

    assert "started" in bare.services("start", "postgres")


def test_the_server_is_durable_and_keeps_to_itself(bare: Checkout) -> None:
    bare.services("start", "postgres")
    with psycopg.connect(bare.url(POSTGRES_VARIABLE)) as connection:
        rows = connection.execute("SELECT name, setting FROM pg_settings").fetchall()
    settings: dict[str, str] = dict(rows)
    assert settings["fsync"] == settings["synchronous_commit"] == "on"
    assert settings["listen_addresses"] == "127.0.0.1"
    assert int(settings["server_version_num"]) >= 15_00_00
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            bare.url(POSTGRES_VARIABLE).replace(postgres.USER + ":", postgres.USER + ":not")
        )
    assert (bare.folder / ".services/env").stat().st_mode & 0o077 == 0


def test_aorist_is_a_role_there_that_cannot_change_facts(bare: Checkout) -> None:
    bare.services("start", "postgres")
    names = ("AORIST_DATABASE_OWNER", "AORIST_DATABASE_OWNER_PASSWORD")
    aorist = Program(bare.url(), bare.folder)
    aorist("migrate", env={name: bare.url(name) for name in names})
    assert "1 accepted" in aorist("run", aorist.file(opening(ALICE))).out
    for way in ("UPDATE {} SET actor = ''", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(InsufficientPrivilege):
            aorist.sql(way.format("banking.events"))


def test_the_composed_application_is_that_role_and_waits_for_the_owner() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    owner, aorist = (services[name]["environment"] for name in ("migrate", "aorist"))
    assert owner["AORIST_DATABASE_URL"] == aorist["AORIST_DATABASE_URL"]
    assert make_url(aorist["AORIST_DATABASE_URL"]).username == postgres.APPLICATION
    assert not [name for name in aorist if "OWNER" in name], "nor does it know who could"
    server = services["postgres"]["environment"]
    assert owner["AORIST_DATABASE_OWNER"] == server["POSTGRES_USER"]
    assert owner["AORIST_DATABASE_OWNER_PASSWORD"] == server["POSTGRES_PASSWORD"]
    assert services["migrate"]["command"] == "aorist migrate"
    waits_for = services["aorist"]["depends_on"]["migrate"]
    assert waits_for == {"condition": "service_completed_successfully"}


def test_containers_are_used_where_docker_answers(tmp_path: Path) -> None:
    docker = 'echo "$@" >>calls; case "$*" in *port*) echo 127.0.0.1:5433 ;; esac'
    docker += '; echo "$KAFKA_HOST_PORT" >>told'
    checkout = Checkout(tmp_path, docker=docker)
    said = checkout.services("start")
    assert "postgres: running in a container, on port 5433" in said
    assert "kafka: running in a container, on port 5433" in said
    assert "redis: running in a container, on port 5433" in said
    assert (
        # pragma: allowlist nextline secret
        checkout.url(POSTGRES_VARIABLE) == "postgresql://aorist:aorist@127.0.0.1:5433/aorist_test"
    )
    calls = (tmp_path / "calls").read_text()
    assert re.search(r"compose --project-name aorist-\w+ up --detach --wait postgres", calls)
    assert "exec -T postgres psql --username aorist" in calls
    assert "up --detach --wait kafka" in calls
    assert "up --detach --wait redis" in calls
    assert checkout.url("AORIST_REDIS_URL") == "redis://:aorist@127.0.0.1:5433/0"
    assert "5433" in (tmp_path / "told").read_text(), "the broker is told how it is reached"


@pytest.fixture
def without_containers(tmp_path: Path) -> Iterator[Checkout]:
    if not jars_folder().exists():
        pytest.skip("make services uses containers here: no jars of Kafka were fetched")
    with bare_checkout(tmp_path) as checkout:
        yield checkout


def test_the_broker_is_found_running_and_starts_again_with_its_data_when_it_was_killed(
    without_containers: Checkout,
) -> None:
    bare = without_containers
    assert "started" in bare.services("start", "kafka")
    first = bare.url(KAFKA_VARIABLE)
    with producer(first) as sending:
        make_topic(first, "kept")
        sending.send("kept", b"42").get(timeout=20)
    assert "already running" in bare.services("start", "kafka")
    assert bare.url(KAFKA_VARIABLE) == first

    record = bare.folder / ".services/kafka/server.pid"
    pid, port = record.read_text().split()
    os.kill(int(pid), signal.SIGKILL)
    # The process id in the file is another program's by now.
    record.write_text(f"{os.getpid()}\n{port}\n")
    assert "started" in bare.services("start", "kafka")
    assert values(bare.url(KAFKA_VARIABLE), "kept") == [b"42"]
    assert "stopped" in bare.services("stop", "kafka")
    assert "was not running" in bare.services("stop", "kafka")


@pytest.fixture
def bare_redis(tmp_path: Path) -> Iterator[Checkout]:
    if redis.program() is None:
        pytest.skip("make services uses containers here: no Redis is installed")
    with bare_checkout(tmp_path) as checkout:
        yield checkout


def test_redis_is_found_running_and_takes_the_place_of_one_that_was_killed_or_stands_still(
    bare_redis: Checkout,
) -> None:
    bare = bare_redis
    assert "started" in bare.services("start", "redis")
    first = bare.url("AORIST_REDIS_URL")
    assert "already running" in bare.services("start", "redis")
    assert bare.url("AORIST_REDIS_URL") == first

    record = bare.folder / ".services/redis/server.pid"
    pid, port = record.read_text().split()
    os.kill(int(pid), signal.SIGKILL)
    # The process id in the file is another program's by now.
    record.write_text(f"{os.getpid()}\n{port}\n")
    assert "started" in bare.services("start", "redis")
    assert bare.url("AORIST_REDIS_URL") == first, "clients find it where it was"
    assert "stopped" in bare.services("stop", "redis")
    assert "was not running" in bare.services("stop", "redis")


def test_redis_keeps_to_itself_and_is_bounded(bare_redis: Checkout) -> None:
    bare = bare_redis
    bare.services("start", "redis")
    with Redis.from_url(bare.url("AORIST_TEST_REDIS_URL")) as client:
        settings = client.config_get("bind", "maxmemory", "maxmemory-policy", "save", "appendonly")
    assert settings == {
        "bind": "127.0.0.1",
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "allkeys-lru",
        "save": "",
        "appendonly": "no",
    }
    with (
        Redis.from_url(re.sub(":[^@:]+@", ":not@", bare.url("AORIST_REDIS_URL"))) as stranger,
        pytest.raises(AuthenticationError),
    ):
        stranger.ping()
    pid = int((bare.folder / ".services/redis/server.pid").read_text().split()[0])
    assert os.geteuid() != 0 or Path(f"/proc/{pid}").stat().st_uid != 0, "not as root"
    home = (bare.folder / ".services/redis").resolve()
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "redis.conf").stat().st_mode & 0o077 == 0


def test_a_service_that_is_none_is_refused(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, docker="exit 1")
    with pytest.raises(AssertionError, match="no service is called 'oracle'; there are kafka, pos"):
        checkout.services("start", "oracle")
