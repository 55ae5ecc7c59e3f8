"""Deposits over HTTP: one API process beside a bare app, and four on one log beside one."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg

from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group
from tests.bench.ours import accounts, opened
from tests.bench.reference import reference_table
from tests.bench.serving import CONNECTIONS, Client, api, bare_app

HTTP, BARE = "http", "bare FastAPI"
FOUR, ONE = "four processes", "one process"
"""With `CONNECTIONS` for each of four, which are `MANY` in all, and as many for the one."""
SHARED = "four processes, 32 connections"
"""With no more in all than one process has in `HTTP`."""
PROCESSES = 4
MANY = PROCESSES * CONNECTIONS

GAPS = "SELECT count(*) = coalesce(max(position), 0) AND min(position) = 1 FROM banking.events"
VERSIONS = """
SELECT stream, count(*), min(version), max(version) FROM banking.events
 GROUP BY stream HAVING count(*) <> max(version) OR min(version) <> 1
"""
KEYS = "SELECT actor, command, key FROM banking.receipts GROUP BY 1, 2, 3 HAVING count(*) > 1"
LOST = """
SELECT a.key, a.stream, a.version, a.position FROM acknowledged a
 WHERE NOT EXISTS (
    SELECT FROM banking.receipts r JOIN banking.events e USING (stream, version)
     WHERE r.key = a.key AND r.stream = a.stream AND r.version = a.version
       AND r.position = a.position AND e.command_id = r.command_id)
"""


class Answer(msgspec.Struct):
    """The body of an answer."""

    class Position(msgspec.Struct):
        """Where the command's facts end."""

        value: int

    id: UUID
    version: int
    position: Position


def check(url: str, receipts: Path) -> None:
    """No gaps, no key twice, versions 1..n, and every acknowledged receipt in the log."""
    decode = msgspec.json.Decoder(tuple[str, Answer]).decode
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TEMP TABLE acknowledged"
            " (key text, stream uuid, version bigint, position bigint)"
        )
        copy = "COPY acknowledged FROM STDIN"
        with receipts.open("rb") as lines, connection.cursor().copy(copy) as into:
            for key, answer in map(decode, lines):
                into.write_row((key, answer.id, answer.version, answer.position.value))
        if connection.execute(GAPS).fetchone() != (True,):
            raise Broken("positions have gaps")
        for what, query in (
            ("a stream's versions are not 1..n", VERSIONS),
            ("a key has two receipts", KEYS),
            ("an acknowledged deposit is not in the log", LOST),
        ):
            if found := connection.execute(query.encode()).fetchone():
                raise Broken(f"{what}: {found}")


@contextmanager
def served(bench: Bench, processes: int, number: int) -> Iterator[Client]:
    """Yield the load on API processes over a log of their own; checks that log at the end."""
    with bench.database() as url, ExitStack() as stack:
        with opened(url) as ours:
            made = accounts(ours, number)
        receipts = bench.folder / f"receipts-{processes}.jsonl"
        receipts.touch()
        servers = [stack.enter_context(api(url)) for _ in range(processes)]
        for server in servers:
            Client([server], made, receipts).once_each()
        yield Client(servers, made, receipts)
        check(url, receipts)


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    number = bench.size("http_accounts", 2_000, 100)
    bench.note("http_connections", CONNECTIONS)
    with ExitStack() as stack:
        client = stack.enter_context(served(bench, 1, number))
        contenders: dict[str, Contender] = {
            HTTP: client.load,
            ONE: partial(client.load, connections=MANY),
        }
        if names & {FOUR, SHARED}:
            bench.note("api_processes", PROCESSES)
            four = stack.enter_context(served(bench, PROCESSES, number))
            contenders[FOUR] = partial(four.load, connections=MANY)
            contenders[SHARED] = four.load
        if BARE in names:
            url = stack.enter_context(bench.database())
            with opened(url):
                reference_table(url)
            # A database connection for each of HTTP; with the 10 that ours has it was no faster.
            app = stack.enter_context(bare_app(url, CONNECTIONS))
            contenders[BARE] = Client([app], client.accounts).load
        yield contenders


GROUP = Group(
    figures=(
        Figure(name="http", ours=HTTP, reference=(BARE,), at_least=1.3),
        Figure(
            name="http-p99",
            ours=HTTP,
            reference=(BARE,),
            measure="p99_ms",
            unit=" ms",
            at_most=1,
        ),
        Figure(name="processes", ours=FOUR, reference=(ONE, HTTP), at_least=1),
        Figure(name="processes-shared", ours=SHARED, reference=(HTTP,)),
    ),
    open=_open,
)
