"""What PostgreSQL tells with the answer to a batch, besides what became of it."""

import asyncio
import re
from uuid import uuid4

import psycopg
import pytest

from infra.log.lane import PLANNING
from infra.log.postgres import APPEND, SMOOTHING, PostgresStore
from infra.log.postgres_histories import BEHIND
from infra.settings import Settings
from tests.log.appends import append, fact, store_of
from tests.scenario import Scenario

pytestmark = pytest.mark.parametrize("store", ["postgres"])

HELD_S = 0.2


@pytest.mark.parametrize(
    ("query", "values"),
    [(APPEND.partition("UNION ALL")[0], "1, 2, 3, 500"), (BEHIND, "1, 500")],
    ids=["along", "alone"],
)
def test_others_facts_are_taken_by_the_index_however_small_the_log_was_when_it_was_planned(
    probe: Scenario, settings: Settings, query: str, values: str
) -> None:
    numbers = iter(range(1, 9))
    statement = re.sub("%b", lambda _: f"${next(numbers)}", query.format(context="probe"))
    probe.run(store_of(probe).append([append(uuid4(), 0, fact())]))
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute(PLANNING)
        connection.execute(f"PREPARE heard AS {statement}")
        for change in ("DELETE FROM probe.events", "VACUUM ANALYZE probe.events"):
            connection.execute(change)
            found = connection.execute(f"EXPLAIN EXECUTE heard ({values})").fetchall()
            plan = "\n".join(line for (line,) in found)
            assert "Index Scan using events_pkey" in plan, plan
            assert "Sort" not in plan, plan


def test_how_long_a_batch_stood_behind_another_process_s_is_forgotten_slowly(
    probe: Scenario, settings: Settings
) -> None:
    store = store_of(probe)
    assert isinstance(store, PostgresStore)

    async def body() -> None:
        await store.append([append(uuid4(), 0, fact())])
        async with await psycopg.AsyncConnection.connect(settings.database_url) as blocking:
            await blocking.execute("SELECT FROM probe.head FOR UPDATE")
            writing = asyncio.create_task(store.append([append(uuid4(), 0, fact())]))
            await asyncio.sleep(HELD_S)
        await writing
        waited_s = store.waited_s
        assert waited_s > SMOOTHING * HELD_S / 2
        await store.append([append(uuid4(), 0, fact())])
        assert waited_s / 2 < store.waited_s < waited_s

    probe.run(body())
