"""Redis: counters and cached answers in memory, reachable from this machine only."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.services._system import (
    FOLDER,
    POLL_SECONDS,
    Account,
    Record,
    Running,
    Unavailable,
    apt_install,
    port_again,
)

CONTAINER_PORT = 6379
PASSWORD = "aorist"  # pragma: allowlist secret - on the loopback address only
DATABASE, TEST_DATABASE = 0, 1
"""Tests empty theirs; what someone tries by hand is kept apart from that."""

START_SECONDS = 20
STOP_SECONDS = 10
PROBE_SECONDS = 1
SETTINGS = {
    "bind": "127.0.0.1",
    "daemonize": "no",
    "set-proc-title": "no",  # the path of its configuration is what it is known by
    # All that is in it can be made again, so it is bounded, and nothing is written to the disk.
    "maxmemory": "256mb",
    "maxmemory-policy": "allkeys-lru",
    "save": '""',
    "appendonly": "no",
}
PLACES = ("usr/bin", "usr/local/bin", "opt/homebrew/bin")  # beside the PATH
# Debian's package also starts a server of its own, at once and with the machine; nobody asked for
# that one.
DEBIAN_SCRIPT = """
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\\nexit 101\\n' >$policy
    chmod +x $policy
fi
apt-get update
apt-get install -y --no-install-recommends redis-server
update-rc.d redis-server disable || true
"""


def environment(running: Running) -> dict[str, str]:
    """Return the variables by which Aorist and its tests find the server."""
    server = f"redis://:{running.password}@127.0.0.1:{running.port}"
    return {
        "AORIST_REDIS_URL": f"{server}/{DATABASE}",
        "AORIST_TEST_REDIS_URL": f"{server}/{TEST_DATABASE}",
    }


def prepare(run: Callable[..., str]) -> None:
    """Nothing is missing in a new server."""


def program() -> Path | None:
    """Return the server program of this machine; None without one."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *(f"/{place}" for place in PLACES)])
    found = shutil.which("redis-server", path=path)
    return Path(found) if found else None


def start() -> Running:
    """Start the server in this checkout's folder, made on first use; or find it running."""
    found = program() or _install()
    account = Account.for_service("redis")
    home = account.folder("redis")
    password = _password(account, home)
    running = _record(home).running()
    if running and _answers(running[1], password):
        return Running(running[1], password, "already running")
    stop()  # one that is there and does not answer
    port = _launch(found, account, home, password)
    return Running(port, password, f"started in {home}")


def stop() -> bool:
    """Stop the server that `start` started; False when it was not running."""
    return _record((FOLDER / "redis").resolve()).stop(STOP_SECONDS)


def configuration(home: Path, port: int, password: str) -> str:
    """Return what a server's file says."""
    given = {**SETTINGS, "port": str(port), "dir": f'"{home}"', "requirepass": password}
    return "".join(f"{name} {value}\n" for name, value in given.items())


def _install() -> Path:
    if not shutil.which("apt-get"):
        raise Unavailable(
            "no redis-server was found on the PATH. Install it (macOS: brew install redis) or "
            "start Docker."
        )
    apt_install(DEBIAN_SCRIPT, "redis-server")
    if found := program():
        return found
    raise Unavailable("this system's package of Redis has no redis-server. Start Docker.")


def _password(account: Account, home: Path) -> str:
    file = home / "password"
    if not file.exists():
        account.write(file, secrets.token_hex(16))
    return file.read_text(encoding="utf-8")


def _launch(found: Path, account: Account, home: Path, password: str) -> int:
    """Start the server and return its port: the one it had before, where that is free."""
    last_port, config, log = home / "port", home / "redis.conf", home / "log"
    port = port_again(last_port)
    account.write(last_port, str(port))
    account.write(config, configuration(home, port, password))
    account.write(log, "")
    process = _spawn(account, [found, config], home, log)
    account.write(_record(home).file, f"{process.pid}\n{port}\n")
    until = time.monotonic() + START_SECONDS
    while not _answers(port, password):
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            raise Unavailable("\n".join(["it did not start:", *tail]))
        time.sleep(POLL_SECONDS)
    return port


def _spawn(
    account: Account, words: Sequence[Path], home: Path, log: Path
) -> subprocess.Popen[bytes]:
    """Start the process as the account, in a session of its own."""
    is_root = os.geteuid() == 0
    with log.open("ab") as output:
        return subprocess.Popen(
            words,
            cwd=home,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if is_root else None,
            group=account.gid if is_root else None,
            extra_groups=[] if is_root else None,
        )


def _answers(port: int, password: str) -> bool:
    """Say whether a server on the port takes the password and answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), PROBE_SECONDS) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            said = b""
            while said.count(b"\n") < 2 and (more := connection.recv(100)):
                said += more
    except OSError:
        return False
    return said == b"+OK\r\n+PONG\r\n"


def _record(home: Path) -> Record:
    return Record(home / "server.pid", home / "redis.conf")
