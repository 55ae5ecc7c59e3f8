"""Cold loads: how long it takes to have the state of an account with ten thousand facts."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from domain.banking.account import Account
from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.ours import CONTEXT, TELLER, Ours, accounts, deposit, opened

COLD = "cold load"
LOADS = 15
"""Loads in one round."""


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    facts = bench.size("cold_facts", 10_000, 500)
    bench.note("cold_loads", LOADS)
    with bench.database() as url, opened(url) as ours:
        account = accounts(ours, 1)[0]
        ours.times(lambda: ours.system.dispatch(deposit(account), TELLER), facts - 1)

        def contend(_: float) -> Measures:
            taken = sorted(_load(ours, account, facts) for _ in range(LOADS))
            return {"ms": statistics.median(taken), "least_ms": taken[0], "most_ms": taken[-1]}

        yield {COLD: contend}


def _load(ours: Ours, account: UUID, facts: int) -> float:
    """Return the milliseconds of one load of a state that is not in memory."""
    streams = ours.system.logs[CONTEXT].streams
    streams.drop(account)
    started = time.perf_counter()
    entry = ours.run(streams.get(Account, account))
    taken = time.perf_counter() - started
    assert isinstance(entry.state, Account)
    if (entry.version, entry.state.funds.balance) != (facts, (facts - 1) * 100):
        raise Broken(f"loaded version {entry.version} with {entry.state.funds.balance}")
    return taken * 1000


GROUP = Group(
    figures=(Figure(name="cold-load", ours=COLD, measure="ms", unit=" ms", at_most=25),),
    open=_open,
)
