"""What a rebuild costs those who are served meanwhile: the p99 of queries with and without it."""

import http.client
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from random import Random

from infra.rebuilding.gently import step_back
from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.history import ACCOUNTS, fill, uuid
from tests.bench.ours import CONTEXT, opened
from tests.bench.rebuild import MAX_S, place, rebuilt, replay
from tests.bench.serving import Server, api

BUSY, QUIET = "queries during a rebuild", "queries alone"
PROJECTIONS = ("banking.account", "banking.statement")
CONNECTIONS = 4
RATE = 200
"""Queries a second, all in all."""
TIMEOUT_S = 30
PATHS = ("/api/v1/accounts/{}", "/api/v1/accounts/{}/statement?limit=20")


class Asking:
    """Asks at a fixed rate until it is told to end; a query that comes late counts as late."""

    def __init__(self, server: Server) -> None:
        self._port = server.port
        self._over = threading.Event()
        self._delays: list[float] = []
        self._failed: list[str] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(number,)) for number in range(CONNECTIONS)
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        dice, paths = Random(number), cycle(PATHS)
        due = time.perf_counter() + number / RATE
        while not self._over.is_set():
            time.sleep(max(0.0, due - time.perf_counter()))
            account, holder = (uuid(kind, n) for n in [dice.randrange(ACCOUNTS)] for kind in (1, 2))
            path = next(paths).format(account)
            try:
                connection.request("GET", path, headers={"Aorist-Actor": str(holder)})
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.HTTPStatus.OK:
                    self._failed.append(f"{path}: {answer.status}")
            except OSError as error:
                self._failed.append(f"{path}: {error!r}")
                connection.close()
            self._delays.append((time.perf_counter() - due) * 1000)
            due += CONNECTIONS / RATE

    def end(self) -> Measures:
        """Return the delays in ms. Raises `Broken` when a query failed."""
        self._over.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)
        if self._failed:
            raise Broken(f"{len(self._failed)} queries failed: {self._failed[0]}")
        parts = statistics.quantiles(sorted(self._delays), n=100, method="inclusive")
        return {"p50_ms": parts[49], "p99_ms": parts[98], "queries": len(self._delays)}


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    facts = bench.size("cost_facts", 200_000, 30_000)
    bench.note("queries_a_second", RATE)
    with bench.database() as url:
        with opened(url):
            fill(bench, url, CONTEXT, facts)
        place(url, CONTEXT, facts)
        rebuilt(url, facts, *PROJECTIONS)
        with api(url) as server:

            def quiet(seconds: float) -> Measures:
                asking = Asking(server)
                time.sleep(seconds)
                return asking.end()

            def busy(seconds: float) -> Measures:
                asking, rebuilds = Asking(server), 0
                until = time.perf_counter() + seconds
                try:
                    while not rebuilds or time.perf_counter() < until:
                        process = replay(url, *PROJECTIONS, "--gently")
                        step_back(process.pid)  # as one in the background is started
                        _ended(process)
                        rebuilds += 1
                finally:
                    measured = asking.end()
                return {**measured, "rebuilds": rebuilds}

            yield {BUSY: busy, QUIET: quiet}


def _ended(process: subprocess.Popen[str]) -> None:
    try:
        said, _ = process.communicate(timeout=MAX_S)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise Broken(f"a rebuild ended with {process.returncode}: {said}")


GROUP = Group(
    figures=(
        Figure(
            name="rebuild-cost",
            ours=BUSY,
            reference=(QUIET,),
            measure="p99_ms",
            unit=" ms",
            at_most=2,
        ),
    ),
    open=_open,
)
