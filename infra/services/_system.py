"""The machine below a service: its packages, accounts, folders, ports and processes."""

import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / ".services"
# Where the data of services goes that root starts and whose account cannot enter the checkout.
# Not a temporary folder: those are tidied, and a database that lost some of its files is broken.
ROOT_FOLDER = Path("/var/lib/aorist")
COMMAND_SECONDS = 120
POLL_SECONDS = 0.02


class Unavailable(Exception):
    """A service cannot be started here; the message says what the person can do about it."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where a service answers, and with which password."""

    port: int
    password: str
    how: str
    """What was found or done, for the person: `started in …`."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that a service runs as; servers refuse to run as root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_service(cls, preferred: str) -> "Account":
        """Return the account of this process, or for root `preferred`, or else nobody."""
        if os.geteuid() != 0:
            return cls._of(pwd.getpwuid(os.geteuid()))
        for name in (preferred, "nobody"):
            try:
                return cls._of(pwd.getpwnam(name))
            except KeyError:
                continue
        raise Unavailable(f"no account to run it as: add one with `useradd --system {preferred}`")

    @classmethod
    def _of(cls, entry: pwd.struct_passwd) -> "Account":
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    def run(
        self, command: Sequence[str | Path], **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` as this account, in English, with no variables but PATH and `variables`."""
        is_root = os.geteuid() == 0
        return subprocess.run(
            [str(word) for word in command],
            cwd="/",  # root's own folder may be closed to the account
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            user=self.uid if is_root else None,
            group=self.gid if is_root else None,
            extra_groups=[] if is_root else None,
        )

    def must_run(self, command: Sequence[str | Path], **variables: str) -> str:
        """Run `command` and return its output. Raises `Unavailable` when it fails."""
        done = self.run(command, **variables)
        if done.returncode != 0:
            raise Unavailable(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def can_write(self, folder: Path) -> bool:
        """Say whether this account can reach `folder` and write into it."""
        return self.run(["test", "-w", folder, "-a", "-x", folder]).returncode == 0

    def folder(self, service: str) -> Path:
        """Return the folder of the service's data, made on first use, closed to other accounts.

        It is `.services/<service>`. When root starts the service and its account cannot enter
        the checkout, that is a link to a folder of the same purpose under `ROOT_FOLDER`.
        """
        place = FOLDER / service
        if not place.exists():
            place.unlink(missing_ok=True)
            FOLDER.mkdir(exist_ok=True)
            place.mkdir(mode=0o700)
            self._own(place)
            if not self.can_write(place):
                place.rmdir()
                place.symlink_to(self._outside(service), target_is_directory=True)
        return place.resolve()

    def _outside(self, service: str) -> Path:
        checkout = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
        place = ROOT_FOLDER / checkout / service
        for parent in (ROOT_FOLDER, place.parent):
            parent.mkdir(exist_ok=True)
            parent.chmod(0o755)
        place.mkdir(mode=0o700, exist_ok=True)
        self._own(place)
        return place

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def write(self, path: Path, text: str) -> None:
        """Write a file that only this account (and root) can read."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        self._own(path)


@dataclass(frozen=True, slots=True)
class Record:
    """A file with the process id and the port of the server that was started last."""

    file: Path
    mark: Path
    """A path on its command line: the process with that id may be another program's by now."""

    def running(self) -> tuple[int, int] | None:
        """Return the process id and the port of a server that runs still."""
        try:
            pid, port = self.file.read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return None
        return (int(pid), int(port)) if self._is(int(pid)) else None

    def stop(self, seconds: int) -> bool:
        """Stop the server; False when it does not run. Raises `Unavailable` when it stays.

        It is asked to end, and killed when it has not done so in `seconds`.
        """
        found = self.running()
        if found is None:
            return False
        for word in (signal.SIGTERM, signal.SIGKILL):
            os.kill(found[0], word)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                if not self._is(found[0]):
                    self.file.unlink()
                    return True
                time.sleep(POLL_SECONDS)
        raise Unavailable(f"process {found[0]} does not end")

    def _is(self, pid: int) -> bool:
        return str(self.mark) in command_of(pid)


def port_again(last: Path) -> int:
    """Return the port that a file names, where nothing listens on it, or else a free one."""
    return free_port(int(last.read_text(encoding="utf-8")) if last.exists() else 0)


def free_port(preferred: int = 0) -> int:
    """Return a port of the loopback address that nothing listens on: `preferred` if possible."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Unavailable("no free port on 127.0.0.1")


def command_of(pid: int) -> str:
    """Return the command line of a process, or nothing when there is none."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
        except OSError:
            return ""
    return _output(["ps", "-o", "command=", "-p", str(pid)])


def apt_install(script: str, packages: str) -> None:
    """Run a shell script that installs `packages`, where that needs no password.

    Raises `Unavailable` with the command to type where it does.
    """
    if os.geteuid() == 0:
        as_root: list[str] = []
    elif shutil.which("sudo") and _succeeds(["sudo", "-n", "true"]):
        as_root = ["sudo", "-n"]
    else:
        raise Unavailable(f"it is not installed. Run:  sudo apt-get install {packages}")
    print(f"installing {packages} …", flush=True)
    # The output may be long: it goes to a file and is shown when something fails.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        done = subprocess.run(
            [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", script],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            log.seek(0)
            raise Unavailable(f"apt-get could not install {packages}:\n{log.read().strip()}")


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
