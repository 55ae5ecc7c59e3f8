"""The eventsourcing library's ProjectionRunner, as it is meant to be used on PostgreSQL.

Its events are in its own table there, its mapper is the fast one of ours, its view keeps a row for
each account, and it asks for the topics it handles only. It commits each event with its position.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from domain import Event
from domain.banking.account import AccountOpened
from domain.banking.posting import MoneyDeposited
from infra.log.mapper import RecordedFact, register_facts
from tests.bench.figures import Contender, Measures
from tests.bench.history import deposits

HANDLED = (AccountOpened, MoneyDeposited)
CHUNK = 5_000
POLL_S = 0.05
START_S = 30.0


class Accounts(PostgresTrackingRecorder):
    """Rows of accounts, each change in one transaction with its position."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.check_identifier_length("accounts")
        place = (Identifier(datastore.schema), Identifier("accounts"))
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {0}.{1} (id uuid PRIMARY KEY, holder_id uuid, "
                "number text, kind text, status text, currency text, balance bigint, "
                "held bigint, credit_limit bigint, available bigint, frozen_because text, "
                "position bigint, version bigint)"
            ).format(*place)
        )
        self._opened = SQL(
            "INSERT INTO {0}.{1} VALUES (%s, %s, %s, %s, 'open', %s, 0, 0, %s, %s, NULL, %s, %s)"
        ).format(*place)
        self._deposited = SQL(
            "UPDATE {0}.{1} SET balance = %s, available = available + %s, version = %s"
            " WHERE id = %s"
        ).format(*place)

    def change(self, fact: RecordedFact, tracking: Tracking) -> None:
        """Write what a fact changes."""
        event, id, version = fact.event, fact.originator_id, fact.originator_version
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            if isinstance(event, AccountOpened):
                limit = event.credit_limit
                named = (id, event.holder_id, event.number, event.kind, event.currency)
                given = (*named, limit, limit, tracking.notification_id, version)
                cursor.execute(self._opened, given, prepare=True)
            elif isinstance(event, MoneyDeposited):
                changes = (event.balance, event.amount, version, id)
                cursor.execute(self._deposited, changes, prepare=True)


class AccountsProjection(Projection[Accounts]):
    """The account projection for what the history holds."""

    name = "accounts"
    topics = tuple(fact.TOPIC for fact in HANDLED)

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Handle one event."""
        self.view.change(domain_event, tracking)


class Bank(Application[UUID]):
    """Where its events come from."""

    name = "bank"


def environment(url: str) -> dict[str, str]:
    """Return how the library finds its database."""
    given = conninfo_to_dict(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "MAPPER_TOPIC": "infra.log.mapper:FactMapper",
        "POSTGRES_DBNAME": str(given["dbname"]),
        "POSTGRES_HOST": str(given["host"]),
        "POSTGRES_PORT": str(given.get("port", 5432)),
        "POSTGRES_USER": str(given["user"]),
        "POSTGRES_PASSWORD": str(given.get("password", "")),
        "POSTGRES_SINGLE_ROW_TRACKING": "y",
    }


def fill(env: dict[str, str], events: int) -> None:
    """Give the application so many events, all of which its projection handles."""
    register_facts({fact.TOPIC: fact for fact in HANDLED})
    made = ((id, fact) for id, fact in deposits() if isinstance(fact, HANDLED))
    versions: dict[UUID, int] = {}
    bank = Bank(env)
    try:
        for _ in range(0, events, CHUNK):
            bank.recorder.insert_events(
                [_stored(id, fact, versions) for id, fact in islice(made, CHUNK)]
            )
    finally:
        bank.close()


def _stored(id: UUID, fact: Event, versions: dict[UUID, int]) -> StoredEvent:
    versions[id] = versions.get(id, 0) + 1
    return StoredEvent(id, versions[id], get_topic(type(fact)), msgspec.json.encode(fact))


@contextmanager
def projection_runner(url: str, events: int) -> Iterator[Contender]:
    """Yield a run of the projection from where the last one ended."""
    env = environment(url)
    fill(env, events)

    def run(seconds: float) -> Measures:
        with ProjectionRunner(
            application_class=Bank,
            projection_class=AccountsProjection,
            view_class=Accounts,
            env=env,
        ) as runner:

            def position() -> int:
                return runner.projection.view.max_tracking_id(Bank.name) or 0

            before, until = position(), time.perf_counter() + START_S
            while position() == before and time.perf_counter() < until:
                time.sleep(POLL_S)
            first, started = position(), time.perf_counter()
            time.sleep(seconds)
            last, ended = position(), time.perf_counter()
        if last in (first, events):
            raise RuntimeError(f"the runner was at {first}, then at {last} of {events}")
        return {"rate": (last - first) / (ended - started), "done": last - first}

    yield run
