"""Memory: what an API process holds while it answers a million commands.

The accounts are few, so that what an account's state remembers (its last postings, a bounded
number) is full when the first tenth is done: what grows after that has no bound.
"""

import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.bench.bench import Bench
from tests.bench.figures import Contender, Figure, Group, Measures
from tests.bench.ours import accounts, opened
from tests.bench.serving import LEAST_RATE, Client, Server, api

MEMORY = "an API process"
ACCOUNTS = 500
PARTS = 10
"""The first part is the measure of the others."""
SAMPLE_S = 0.5


def _watched(client: Client, server: Server, requests: int) -> list[int]:
    """Send requests; returns what the server held meanwhile and at the end, in bytes."""
    held: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_S):
            held.append(server.resident_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    process: subprocess.Popen[bytes] = client.start(requests=requests)
    try:
        client.finish(process, requests / LEAST_RATE)
    finally:
        over.set()
        watching.join()
    return [*held, server.resident_bytes()]


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    commands = bench.size("memory_commands", 1_000_000, 2_000)
    bench.note("memory_accounts", ACCOUNTS)
    with bench.database() as url:
        with opened(url) as ours:
            made = accounts(ours, ACCOUNTS)
        with api(url) as server:
            client = Client([server], made)

            def contend(_: float) -> Measures:
                begun = _watched(client, server, commands // PARTS)[-1]
                measures = {f"mb_{1:02}": begun / 1e6}
                most = begun
                for part in range(2, PARTS + 1):
                    held = _watched(client, server, commands // PARTS)
                    most = max(most, *held)
                    measures[f"mb_{part:02}"] = held[-1] / 1e6
                    bench.say(f"{part * commands // PARTS:,} commands: {held[-1] / 1e6:.0f} MB")
                return {"growth": most / begun, "most_mb": most / 1e6, **measures}

            yield {MEMORY: contend}


GROUP = Group(
    figures=(Figure(name="memory", ours=MEMORY, measure="growth", unit="", at_most=1.1),),
    open=_open,
    rounds=1,
    warm_up=False,
)
