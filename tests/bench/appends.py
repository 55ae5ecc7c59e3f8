"""Appends: the group commit beside pgbench and beside the eventsourcing library's recorder."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import psycopg

from infra.log.port import Accepted, Append, Encoded, Origin, Write
from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.ours import IN_FLIGHT, TELLER, Ours, ids, opened
from tests.bench.reference import (
    FACT_BYTES,
    LIBRARY_THREADS,
    PGBENCH_CLIENTS,
    TOPIC,
    PgBench,
    fact,
    library_on_postgres,
)

OURS, PGBENCH = "appends", "pgbench"
LOCK, FUNCTIONS = "library", "library with functions"


def append_of(ours: Ours) -> Append:
    """Return an append of one fact to a new stream, and its receipt."""
    stream, command = ids.new(), ids.new()
    return Append(
        origin=Origin(
            command_id=command,
            command="banking.FreezeAccount",
            actor=TELLER.actor,
            key=str(command),
            fingerprint=command.hex,
            correlation_id=command,
        ),
        writes=(Write(stream, 0, (Encoded(TOPIC, fact(str(stream))),)),),
    )


def appending(ours: Ours) -> Contender:
    """Return the contender: 64 writers that each wait for their append."""

    async def append_one() -> None:
        outcome = await ours.group.submit(append_of(ours)).outcome()
        if not isinstance(outcome, Accepted):
            raise Broken(f"an append to a new stream got {outcome}")

    def contend(seconds: float) -> Measures:
        return ours.repeat(append_one, seconds)

    return contend


def check(url: str, expected: int) -> None:
    """Every append is in the log once, with its receipt, and positions have no gaps."""
    with psycopg.connect(url) as connection:
        events = connection.execute(
            "SELECT count(*), coalesce(min(position), 1), coalesce(max(position), 0)"
            " FROM banking.events"
        ).fetchone()
        receipts = connection.execute(
            "SELECT count(*) FROM banking.receipts r JOIN banking.events e"
            " ON e.position = r.position AND e.stream = r.stream AND e.version = r.version"
        ).fetchone()
    if events != (expected, 1, expected) or receipts != (expected,):
        raise Broken(f"{expected} were acknowledged; events: {events}, receipts: {receipts}")


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    bench.note("append_writers", IN_FLIGHT)
    bench.note("fact_bytes", FACT_BYTES)
    bench.note("pgbench_clients", PGBENCH_CLIENTS)
    bench.note("library_threads", LIBRARY_THREADS)
    done = 0
    with ExitStack() as stack:
        url = stack.enter_context(bench.database())
        ours = stack.enter_context(opened(url))
        append = appending(ours)

        def counted(seconds: float) -> Measures:
            nonlocal done
            measures = append(seconds)
            done += int(measures["done"])
            return measures

        contenders: dict[str, Contender] = {OURS: counted}
        if PGBENCH in names:
            contenders[PGBENCH] = PgBench(url, bench.folder, TELLER.actor)
        for name, functions in ((LOCK, False), (FUNCTIONS, True)):
            if name in names:
                contenders[name] = stack.enter_context(
                    library_on_postgres(url, functions=functions)
                )
        yield contenders
        check(url, done)


GROUP = Group(
    figures=(
        Figure(name="appends", ours=OURS, reference=(PGBENCH,), at_least=1.5),
        Figure(name="appends-library", ours=OURS, reference=(LOCK, FUNCTIONS), at_least=8),
    ),
    open=_open,
)
