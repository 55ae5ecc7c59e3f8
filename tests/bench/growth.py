"""Growth: the rate of appends into a log of five million facts beside one of ten thousand."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import psycopg

from tests.bench.appends import appending
from tests.bench.bench import Bench
from tests.bench.figures import Contender, Figure, Group
from tests.bench.ours import TELLER, opened
from tests.bench.reference import TOPIC, fact

LARGE, SMALL = "appends to a large log", "appends to a small log"
CHUNK = 250_000
"""Facts that are filled in by one statement."""

# As the group commit writes them: a new stream, a receipt and 200 bytes for each, ids in order of
# time. The millisecond in an id is the fact's number, so all are older than what is appended.
FILL = f"""
WITH made AS (
    SELECT n, (lpad(to_hex(1600000000000 + n), 12, '0') || '7' || left(md5(n::text), 3) || '8'
               || right(md5(n::text), 15))::uuid AS id
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
), events AS (
    INSERT INTO banking.events
    SELECT n, id, 1, '{TOPIC}', replace(%(data)s, '#', id::text)::json, NULL,
           timestamptz '2025-01-01' + n * interval '1 ms', %(actor)s, id, id, NULL, NULL
      FROM made
)
INSERT INTO banking.receipts (actor, command, key, command_id, fingerprint, correlation_id,
       stream, version, position, facts, time)
SELECT %(actor)s, 'banking.FreezeAccount', id::text, id, md5(n::text), id, id, 1, n, 1,
       timestamptz '2025-01-01' + n * interval '1 ms'
  FROM made ORDER BY n
"""


def fill(bench: Bench, url: str, facts: int) -> None:
    """Fill an empty log, and have PostgreSQL do now what it would do about it during a round."""
    data = fact("#" * 36).decode().replace("#" * 36, "#")
    with psycopg.connect(url, autocommit=True) as connection:
        for first in range(1, facts + 1, CHUNK):
            last = min(first + CHUNK - 1, facts)
            values = {"first": first, "last": last, "data": data, "actor": TELLER.actor}
            connection.execute(FILL.encode(), values)
            bench.say(f"filled {last:,} of {facts:,}")
        connection.execute(
            "UPDATE banking.head SET position = %s, time = (SELECT max(time) FROM banking.events)",
            [facts],
        )
        connection.execute("VACUUM ANALYZE banking.events")
        connection.execute("VACUUM ANALYZE banking.receipts")
        connection.execute("CHECKPOINT")


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    sizes = {
        LARGE: bench.size("large_log_facts", 5_000_000, 50_000),
        SMALL: bench.size("small_log_facts", 10_000, 1_000),
    }
    contenders: dict[str, Contender] = {}
    with ExitStack() as stack:
        for name in sizes:
            url = stack.enter_context(bench.database())
            ours = stack.enter_context(opened(url))
            fill(bench, url, sizes[name])
            contenders[name] = appending(ours)
        yield contenders


GROUP = Group(
    figures=(Figure(name="growth", ours=LARGE, reference=(SMALL,), at_least=0.85),), open=_open
)
