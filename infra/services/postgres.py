"""PostgreSQL: as durable as in production, reachable from this machine only."""

import hashlib
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from infra.services._system import (
    FOLDER,
    Account,
    Running,
    Unavailable,
    apt_install,
    command_of,
    port_again,
)

CONTAINER_PORT = 5432
PASSWORD = "aorist"  # pragma: allowlist secret - on the loopback address only
USER = "aorist"
"""The server's own role: it owns the database, migrates it, and is the tests'."""
APPLICATION = "aorist_app"
"""Aorist's role, which can't change facts; `aorist migrate` makes it."""
DATABASE = "aorist"
TEST_DATABASE = "aorist_test"
"""Tests empty theirs; what someone tries by hand is kept apart from that."""

OLDEST = 15
START_SECONDS = 60
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path has a length limit that a checkout may exceed
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Figures and crash tests mean nothing without these, so they are said, not assumed.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}
PLACES = (  # beside the PATH
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # Red Hat
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
# Debian's package also makes a server of its own at once and starts it; nobody asked for that one.
DEBIAN_SCRIPT = """
apt-get update
apt-get install -y --no-install-recommends postgresql-common
conf=/etc/postgresql-common/createcluster.conf
cp -p $conf $conf.before
trap 'mv $conf.before $conf' EXIT
echo 'create_main_cluster = off' >>$conf
apt-get install -y --no-install-recommends postgresql
"""


def environment(running: Running) -> dict[str, str]:
    """Return the variables by which Aorist and its tests find the server."""
    server = f"127.0.0.1:{running.port}"
    application = f"{APPLICATION}:{password_of_application(running.password)}"
    return {
        "AORIST_DATABASE_URL": f"postgresql://{application}@{server}/{DATABASE}",
        "AORIST_DATABASE_OWNER": USER,
        "AORIST_DATABASE_OWNER_PASSWORD": running.password,
        "AORIST_TEST_POSTGRES_URL": (
            f"postgresql://{USER}:{running.password}@{server}/{TEST_DATABASE}"
        ),
    }


def password_of_application(password: str) -> str:
    """Return a password that follows from the server's own one, and from which that does not."""
    return hashlib.sha256(f"{APPLICATION}:{password}".encode()).hexdigest()[:32]


def prepare(run: Callable[..., str]) -> None:
    """Create the databases that are missing; `run` runs a client program beside the server."""
    psql = ("psql", "--username", USER, "--dbname", "postgres", "-AXtc")
    present = run(*psql, "SELECT datname FROM pg_database").split()
    for name in (DATABASE, TEST_DATABASE):
        if name not in present:
            run(*psql, f"CREATE DATABASE {name}")


def programs() -> dict[int, Path]:
    """Return the folders of the server programs on this machine, by major version."""
    folders = [path for place in PLACES for path in Path("/").glob(place.removeprefix("/"))]
    if on_path := shutil.which("pg_ctl"):
        folders.append(Path(on_path).resolve().parent)
    found = {}
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "postgres", "psql")):
            said = Account.for_service("postgres").run([folder / "pg_ctl", "--version"]).stdout
            version = re.search(r"PostgreSQL\) (\d+)", said)
            if version and int(version[1]) >= OLDEST:
                found[int(version[1])] = folder
    return found


def start() -> Running:
    """Start the server on this checkout's data, made on first use; or find it running."""
    found = programs() or _install()
    account = Account.for_service("postgres")
    home = account.folder("postgres")
    data = home / "data"
    if not data.exists():
        _initialise(account, found[max(found)], home)
    folder = _matching(found, data)
    password = (home / "password").read_text(encoding="utf-8")

    def client(port: int) -> Callable[..., str]:
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGPASSWORD": password}
        return lambda program, *words: account.must_run([folder / program, *words], **where)

    if pid_and_port := _recorded(data):
        pid, port = pid_and_port
        if _serves(pid, data):
            prepare(client(port))
            return Running(port, password, "already running")
        # Left by a machine that went down; some other program may have that process id now.
        (data / "postmaster.pid").unlink()

    port = _launch(account, folder, home)
    prepare(client(port))
    return Running(port, password, f"started on {data}")


def stop() -> bool:
    """Stop the server that `start` started; False when it was not running."""
    data = (FOLDER / "postgres").resolve() / "data"
    recorded = _recorded(data)
    if recorded is None or not _serves(recorded[0], data):
        return False
    account = Account.for_service("postgres")
    folder = _matching(programs(), data)
    account.must_run([folder / "pg_ctl", "stop", "--mode=fast", "--wait", "--pgdata", data])
    return True


def _install() -> dict[int, Path]:
    if not shutil.which("apt-get"):
        raise Unavailable(
            f"no PostgreSQL {OLDEST} or newer was found on the PATH or in {', '.join(PLACES)}. "
            "Install it (macOS: brew install postgresql@17) or start Docker."
        )
    apt_install(DEBIAN_SCRIPT, "postgresql")
    if found := programs():
        return found
    raise Unavailable(
        f"this system's package of PostgreSQL is older than {OLDEST}. "
        "Install a newer one (https://www.postgresql.org/download/) or start Docker."
    )


def _initialise(account: Account, folder: Path, home: Path) -> None:
    password = home / "password"
    account.write(password, secrets.token_hex(16))
    # Under another name until it is whole: half a database must not be taken for one.
    draft = home / "draft"
    account.must_run(["rm", "-rf", draft])
    options = ["--auth=scram-sha-256", "--encoding=UTF8"]
    options.append("--locale=C")  # text sorts by its bytes, as it does in SQLite
    account.must_run(
        [folder / "initdb", "-D", draft, "--username", USER, "--pwfile", password, *options]
    )
    draft.rename(home / "data")


def _matching(found: dict[int, Path], data: Path) -> Path:
    """Return the folder of the programs that made `data`; no other version can read it."""
    version = int((data / "PG_VERSION").read_text(encoding="utf-8"))
    if version not in found:
        raise Unavailable(
            f"{data} was made by PostgreSQL {version}, which is no longer on this machine. "
            "Install it again, or delete that folder to begin with an empty database."
        )
    return found[version]


def _launch(account: Account, folder: Path, home: Path) -> int:
    """Start the server and return its port: the one it had before, where that is free."""
    last_port, log = home / "port", home / "log"
    port = port_again(last_port)
    account.write(last_port, str(port))
    settings = (f"-c {name}='{value}'" for name, value in SETTINGS.items())
    options = " ".join([f"-p {port}", *settings])
    patience = ["--wait", f"--timeout={START_SECONDS}"]
    started = account.run(
        [folder / "pg_ctl", "start", *patience, "-D", home / "data", "-l", log, "-o", options]
    )
    if started.returncode != 0:
        tail = log.read_text(encoding="utf-8").splitlines()[-5:] if log.exists() else []
        raise Unavailable("\n".join(["it did not start:", started.stderr.strip(), *tail]))
    return port


def _recorded(data: Path) -> tuple[int, int] | None:
    """Return the process id and port that a server on `data` has noted, if one has."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return int(lines[0]), int(lines[3])
    except FileNotFoundError:
        return None


def _serves(pid: int, data: Path) -> bool:
    return str(data) in command_of(pid)
