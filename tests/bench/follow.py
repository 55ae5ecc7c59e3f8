"""Following: a reader that starts late, and its delay behind what another process commits.

The delay counts from the time that the log gives a fact, just before its commit, to the moment at
which the reader has committed its output: a little more than the delay behind the commit.
"""

import asyncio
import bisect
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import psycopg

from infra.readers import Reader
from tests.bench.bench import Bench
from tests.bench.dispatch import over
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.ours import CONTEXT, TELLER, Ours, accounts, deposit, opened
from tests.bench.serving import Client, api

LATE, LIVE = "a late reader", "a reader"
READER = "banking.account"
ACCOUNTS = 1_000
RATE = 500
"""Commands a second while the delay is measured."""
WARM_UP_S = 2.0
"""For how long facts come before the delay is measured."""
POLL_S = 0.02
MAX_CATCH_UP_S = 300.0

FORGET = f"""
DELETE FROM banking.readers WHERE name = '{READER}';
TRUNCATE banking.accounts, banking.accounts_history
"""
TIMES = """
SELECT position, extract(epoch FROM time)::float8 FROM banking.events
 WHERE position > %s ORDER BY position
"""


@contextmanager
def following(url: str, *, alone: bool = False) -> Iterator[tuple[Ours, Reader]]:
    """Yield a second system, and the one of its readers that is measured; the others follow too.

    With `alone` they do not.
    """
    with opened(url) as ours:
        reader = next(one for one in ours.system.readers if one.name == READER)
        if alone:
            ours.system.readers[:] = [reader]
        yield ours, reader


async def _catch_up(ours: Ours, reader: Reader) -> tuple[int, float]:
    """Follow from where the reader stands; returns the facts it passed and the seconds."""
    head = await ours.system.logs[CONTEXT].store.head()
    started = time.perf_counter()
    await ours.system.follow()
    begun = reader.position
    async with asyncio.timeout(MAX_CATCH_UP_S):
        while min(one.position for one in ours.system.readers) < head:
            await reader.moved.wait(POLL_S)
    return head - begun, time.perf_counter() - started


async def _watch(reader: Reader, over: asyncio.Event) -> list[tuple[int, float]]:
    """Return the positions that the reader comes to, each with the time."""
    moves = [(reader.position, time.time())]
    while not over.is_set():
        await reader.moved.wait(POLL_S)
        if reader.position != moves[-1][0]:
            moves.append((reader.position, time.time()))
    return moves


async def _live(client: Client, reader: Reader, seconds: float) -> list[tuple[int, float]]:
    """Return the reader's moves while another process commits, and until it has them all."""
    ended = asyncio.Event()
    watching = asyncio.create_task(_watch(reader, ended))
    begun = reader.position
    process = client.start(seconds=seconds, rate=RATE)
    sent = await asyncio.to_thread(client.finish, process, seconds)
    async with asyncio.timeout(MAX_CATCH_UP_S):
        while reader.position < begun + 2 * sent["done"]:  # a deposit is two facts
            await reader.moved.wait(POLL_S)
    ended.set()
    return await watching


def _delays(url: str, moves: list[tuple[int, float]]) -> list[float]:
    """Return the milliseconds from each fact's time to the reader's passing it, sorted."""
    positions = [position for position, _ in moves]
    with psycopg.connect(url) as connection:
        facts = connection.execute(TIMES.encode(), [positions[0]]).fetchall()
    if not facts or facts[-1][0] != positions[-1]:
        raise Broken(f"the reader is at {positions[-1]}, the log's end is {facts[-1:]}")
    return sorted(
        (moves[bisect.bisect_left(positions, position)][1] - committed) * 1000
        for position, committed in facts
    )


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    facts = bench.size("followed_facts", 200_000, 2_000)
    bench.note("live_commands_a_second", RATE)
    with bench.database() as url, ExitStack() as stack:
        with opened(url) as ours:
            made = accounts(ours, min(ACCOUNTS, facts // 10))
            next_account = over(made)
            deposits = facts // 2 - len(made)  # an account's opening is two facts as well
            ours.times(lambda: ours.system.dispatch(deposit(next_account()), TELLER), deposits)

        def late(_: float) -> Measures:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(FORGET)
            with following(url, alone=True) as (late_one, reader):
                passed, seconds = late_one.run(_catch_up(late_one, reader))
            if passed < facts:
                raise Broken(f"the reader passed {passed} facts, and {facts} are in the log")
            return {"rate": passed / seconds, "passed": passed}

        contenders: dict[str, Contender] = {LATE: late}
        if LIVE in names:
            client = Client([stack.enter_context(api(url))], made)
            client.once_each()

            def live(seconds: float) -> Measures:
                with following(url) as (ours, reader):
                    ours.run(_catch_up(ours, reader))
                    # Both processes open connections, and PostgreSQL plans, when facts first come.
                    ours.run(_live(client, reader, WARM_UP_S))
                    delays = _delays(url, ours.run(_live(client, reader, seconds)))
                parts = statistics.quantiles(delays, n=100, method="inclusive")
                shown = {"ms": parts[49], "p95_ms": parts[94], "p99_ms": parts[98]}
                return {**shown, "max_ms": delays[-1]}

            contenders[LIVE] = live
        yield contenders


GROUP = Group(
    figures=(
        Figure(name="follow-late", ours=LATE),
        Figure(name="following", ours=LIVE, measure="ms", unit=" ms", at_most=15),
        Figure(name="following-p99", ours=LIVE, measure="p99_ms", unit=" ms", at_most=60),
    ),
    open=_open,
)
