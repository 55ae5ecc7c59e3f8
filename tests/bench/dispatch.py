"""Commands: deposits over many accounts and on one, in this process, without HTTP."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from commands import Receipt
from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.ours import IN_FLIGHT, TELLER, Ours, accounts, deposit, opened
from tests.bench.reference import PgBench

DISPATCH, HOT, PGBENCH = "dispatch", "hot", "pgbench (dispatch)"
SEED = 1

# An account's facts, each with the receipt of the command that made it. A deposit is two facts
# in one append, and its receipt names the account's version and the append's last position.
FACTS_OF = """
SELECT e.version, r.version, r.stream, r.position,
       (SELECT max(position) FROM banking.events all_ WHERE all_.command_id = e.command_id)
  FROM banking.events e LEFT JOIN banking.receipts r USING (command_id)
 WHERE e.stream = %s ORDER BY e.version
"""
# Without figures of the tables PostgreSQL would look at each receipt for each fact.
COMMANDS_INDEX = """
CREATE INDEX ON banking.events (command_id); ANALYZE banking.events; ANALYZE banking.receipts
"""


def depositing(
    ours: Ours, next_account: Callable[[], UUID], seen: list[Receipt] | None = None
) -> Contender:
    """Return the contender: 64 callers that each wait for their receipt; `seen` keeps those."""
    dispatch = ours.system.dispatch

    async def deposit_one() -> None:
        answer = await dispatch(deposit(next_account()), TELLER)
        if seen is not None:
            seen.append(answer.receipt)

    def contend(seconds: float) -> Measures:
        return ours.repeat(deposit_one, seconds)

    return contend


def over(made: list[UUID]) -> Callable[[], UUID]:
    """Return a function that goes through the accounts in a shuffled order, again and again."""
    shuffled = random.Random(SEED).sample(made, len(made))
    return itertools.cycle(shuffled).__next__


def check(url: str, account: UUID, seen: list[Receipt]) -> None:
    """The account's versions have no gaps, and every receipt names the fact that is there."""
    with psycopg.connect(url) as connection:
        connection.execute(COMMANDS_INDEX)
        found: list[Any] = connection.execute(FACTS_OF, [account]).fetchall()
        connection.rollback()  # the log does not keep the index
    for number, (version, received, stream, position, last) in enumerate(found, 1):
        if version != number:
            raise Broken(f"after version {number - 1} of {account} comes {version}")
        if (received, stream, position) != (version, account, last):
            raise Broken(
                f"the receipt of version {version} at {last} says {received} at {position}"
            )
    in_log = {(version, position) for version, _, _, position, _ in found[1:]}
    told = [(receipt.version, receipt.position) for receipt in seen]
    if len(told) != len(in_log) or set(told) != in_log:
        raise Broken(f"{len(told)} deposits were acknowledged, {len(in_log)} are in the log")


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    number = bench.size("accounts", 10_000, 200)
    bench.note("commands_in_flight", IN_FLIGHT)
    seen: list[Receipt] = []
    with bench.database() as url, opened(url) as ours:
        spread = accounts(ours, number)
        hot = accounts(ours, 1)[0]
        contenders = {
            DISPATCH: depositing(ours, over(spread)),
            HOT: depositing(ours, lambda: hot, seen),
        }
        if PGBENCH in names:
            contenders[PGBENCH] = PgBench(url, bench.folder, TELLER.actor)
        yield contenders
        check(url, hot, seen)


GROUP = Group(
    figures=(
        Figure(name="dispatch", ours=DISPATCH, reference=(PGBENCH,), at_least=0.7),
        Figure(name="hot", ours=HOT, reference=(DISPATCH,), at_least=0.5),
    ),
    open=_open,
)
