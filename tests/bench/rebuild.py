"""Rebuilds: their rate beside the library's ProjectionRunner, in long logs, and what they cost.

A rebuild is `aorist replay` in a process of its own, from its start to its end: reading,
projecting, writing, indexes, comparing with the live tables, swapping. The histories are made so
that each fact is handled by one of the projections on average; the runner gets facts that it
handles only.
"""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from os import environ, wait4, waitstatus_to_exitcode

import psycopg

from infra.discovery import discover
from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.history import fill
from tests.bench.ours import opened
from tests.bench.runner import projection_runner
from tests.source import ROOT

OURS, RUNNER = "rebuild", "library's ProjectionRunner"
PROJECTIONS = ("banking.account", "banking.statement", "commerce.order", "social.post")
SHARES = {"banking": 2, "commerce": 1, "social": 1}
"""Quarters of the facts that each log has; the timeline is read from `social.post`."""
MAX_S = 1_800
MEGABYTE = 1_024
"""In the KiB that the system counts in."""
SAID = re.compile(r"^(equal|replaced)\s+(\S+): ", re.MULTILINE)


def place(url: str, context: str, facts: int) -> None:
    """Put the readers of the projections at the end of the log: rebuilds go as far as they are."""
    statement = f"""
        INSERT INTO {context}.readers (name, position) VALUES (%s, %s)
        ON CONFLICT (name) DO UPDATE SET position = excluded.position
    """.encode()
    with psycopg.connect(url, autocommit=True) as connection:
        for projecting in discover().projections:
            if projecting.context == context:
                connection.execute(statement, [projecting.name, facts])


def replay(url: str, *words: str) -> subprocess.Popen[str]:
    """Start `aorist replay`."""
    return subprocess.Popen(
        [sys.executable, "-m", "api", "replay", *words],
        cwd=ROOT,
        env={**environ, "AORIST_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def rebuilt(url: str, facts: int, *projections: str) -> Measures:
    """Rebuild, and return the rate and the most memory that the process had."""
    started = time.perf_counter()
    process = replay(url, *projections, "--accept")
    # Whatever hangs is ended; so much is written to the pipe that it never is full.
    stop = threading.Timer(MAX_S, process.kill)
    stop.start()
    _, status, used = wait4(process.pid, 0)
    stop.cancel()
    process.returncode = waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    assert process.stdout
    said = process.stdout.read()
    process.stdout.close()
    if process.returncode or len(SAID.findall(said)) != len(projections):
        raise Broken(f"the rebuild ended with {process.returncode} and said {said!r}")
    memory = used.ru_maxrss / MEGABYTE
    return {"rate": facts / seconds, "seconds": seconds, "megabytes": memory}


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    quarter = bench.size("rebuilt_facts", 1_000_000, 8_000) // 4
    events = bench.size("runner_events", 100_000, 20_000)
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        if OURS in names:
            url = stack.enter_context(bench.database())
            with opened(url, list(SHARES)):
                pass
            for context, quarters in SHARES.items():
                fill(bench, url, context, quarters * quarter)
                place(url, context, quarters * quarter)
            rebuilt(url, 4 * quarter, *PROJECTIONS)  # fills the live tables

            def ours(_: float) -> Measures:
                return rebuilt(url, 4 * quarter, *PROJECTIONS)

            contenders[OURS] = ours
        if RUNNER in names:
            url_of_runner = stack.enter_context(bench.database())
            contenders[RUNNER] = stack.enter_context(projection_runner(url_of_runner, events))
        yield contenders


GROUP = Group(
    figures=(
        Figure(name="rebuild", ours=OURS, reference=(RUNNER,), at_least=20),
        Figure(name="rebuild-memory", ours=OURS, measure="megabytes", unit=" MB", at_most=300),
    ),
    open=_open,
    warm_up=False,
)
