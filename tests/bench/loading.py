"""Cold loads: how long it takes to have the state of an account with ten thousand facts.

With a snapshot it is one that half of an interval has been added to: as far behind as they are on
average.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

import psycopg

from domain.banking.account import Account
from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.ours import CONTEXT, DEPOSIT, TELLER, Ours, accounts, deposit, opened

COLD, FROM_SNAPSHOT = "cold load", "cold load from a snapshot"
LOADS = 15
"""Loads in one round."""


class Loads:
    """Loads of one account that is not in memory."""

    def __init__(self, ours: Ours, url: str) -> None:
        self._ours = ours
        self._streams = ours.system.logs[CONTEXT].streams
        self._database = psycopg.connect(url, autocommit=True)
        self.account = accounts(ours, 1)[0]
        self._facts = 1

    def close(self) -> None:
        """Release the connection."""
        self._database.close()

    def deposit(self, number: int) -> None:
        """Add so many facts."""
        system = self._ours.system
        self._ours.times(lambda: system.dispatch(deposit(self.account), TELLER), number)
        self._facts += number

    def snapshots(self) -> list[int]:
        """Return the versions of its snapshots, when those that are due are written."""
        self._ours.run(self._streams.snapshots.written())
        found = self._database.execute(
            "SELECT version FROM banking.snapshots WHERE stream = %s", [self.account]
        )
        return [version for (version,) in found]

    def forget(self) -> None:
        """Delete its snapshots."""
        self.snapshots()
        self._database.execute("DELETE FROM banking.snapshots WHERE stream = %s", [self.account])

    def load(self) -> float:
        """Return the milliseconds of one load."""
        self._streams.drop(self.account)
        started = time.perf_counter()
        entry = self._ours.run(self._streams.get(Account, self.account))
        taken = time.perf_counter() - started
        assert isinstance(entry.state, Account)
        balance = entry.state.funds.balance
        if (entry.version, balance) != (self._facts, (self._facts - 1) * DEPOSIT):
            raise Broken(f"version {entry.version} of {self._facts} was loaded, with {balance}")
        return taken * 1000

    def cold(self) -> float:
        """Return the milliseconds of a load of every fact."""
        self.forget()
        return self.load()


def _round(load: Callable[[], float], _: float) -> Measures:
    taken = sorted(load() for _ in range(LOADS))
    return {"ms": statistics.median(taken), "least_ms": taken[0], "most_ms": taken[-1]}


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    facts = bench.size("cold_facts", 10_000, 1_000)
    bench.note("cold_loads", LOADS)
    tail = Account.SNAPSHOT_EVERY // 2
    bench.note("facts_after_snapshot", tail)
    with (
        bench.database() as url,
        opened(url) as ours,
        closing(Loads(ours, url)) as cold,
        closing(Loads(ours, url)) as kept,
    ):
        cold.deposit(facts - 1)
        kept.deposit(facts - 1 - tail)
        kept.cold()  # which takes a snapshot
        kept.deposit(tail)
        if (found := kept.snapshots()) != [facts - tail]:
            raise Broken(f"snapshots are at {found}, not at {facts - tail}")
        yield {COLD: partial(_round, cold.cold), FROM_SNAPSHOT: partial(_round, kept.load)}


GROUP = Group(
    figures=(
        Figure(name="cold-load", ours=COLD, measure="ms", unit=" ms", at_most=25),
        Figure(name="cold-load-snapshot", ours=FROM_SNAPSHOT, measure="ms", unit=" ms", at_most=3),
    ),
    open=_open,
)
