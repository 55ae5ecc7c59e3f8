"""A PostgreSQL of the tests' own, to be killed, stopped and started again."""

import os
import signal
import subprocess
import time
from pathlib import Path

from infra.services._system import command_of
from infra.services.postgres import USER
from tests.checkout import Checkout

TEST_URL = "AORIST_TEST_POSTGRES_URL"
MAX_WAIT_S = 20
KILL = "PostgreSQL is killed, with all its processes"
KILL_BACKEND = "one of its processes is killed: it breaks off the others, and recovers"
STOP = "PostgreSQL is stopped: it sends its clients away"
MANNERS = (KILL, KILL_BACKEND, STOP)


class Server:
    """The server of a bare checkout; see `tests.checkout`."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self.start()
        self.url = checkout.url(TEST_URL)

    def start(self) -> None:
        """Start it, on its data and at its port."""
        self._checkout.services("start", "postgres")

    def end(self, manner: str) -> None:
        """End it, or break its work off, in one of the `MANNERS`."""
        if manner == STOP:
            self._checkout.services("stop", "postgres")
        elif manner == KILL:
            postmaster = self._postmaster
            # Stopped first, so that it neither starts another process nor tidies up.
            os.kill(postmaster, signal.SIGSTOP)
            self._kill(*self._children(), postmaster)
        else:
            clients = (pid for pid in self._children() if f": {USER} " in command_of(pid))
            self._kill(next(clients))

    @property
    def _postmaster(self) -> int:
        data = Path(self._checkout.folder / ".services/postgres").resolve() / "data"
        return int((data / "postmaster.pid").read_text().partition("\n")[0])

    def _children(self) -> list[int]:
        parents = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        )
        pairs = [map(int, line.split()) for line in parents.stdout.splitlines()]
        return [pid for pid, parent in pairs if parent == self._postmaster]

    @staticmethod
    def _kill(*pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        limit = time.monotonic() + MAX_WAIT_S
        while any(map(command_of, pids)):
            assert time.monotonic() < limit, f"{pids} do not end"
            time.sleep(0.005)
