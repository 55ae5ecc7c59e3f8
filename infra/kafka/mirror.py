"""Puts the relays of a running system together, and lets them follow its logs."""

import asyncio

from infra.kafka.encode import Encoder
from infra.kafka.producing import Watch, nobody
from infra.kafka.relay import MAX_CHUNK, Relay
from infra.log.notify import listen
from infra.schemas.cloudevents import topic_of
from infra.schemas.versions import Versions, committed
from infra.system import System

SEPARATOR = ","


def relays(
    system: System,
    versions: Versions | None = None,
    *,
    chunk: int = MAX_CHUNK,
    watch: Watch = nobody,
) -> list[Relay]:
    """Return a relay for each context of a system. Raises `Broken` where a schema is missing."""
    settings = system.settings
    known = versions or committed()
    connection = {"bootstrap_servers": settings.kafka_bootstrap.split(SEPARATOR)}
    return [
        Relay(
            system.tails[context],
            system.bells[context],
            system.databases[context],
            Encoder(
                {
                    topic: fact
                    for topic, fact in system.features.facts.items()
                    if topic.startswith(f"{context}.")
                },
                known,
            ),
            connection,
            topic_of(context, settings.kafka_prefix),
            partitions=settings.kafka_partitions,
            chunk=chunk,
            watch=watch,
        )
        for context in system.contexts
    ]


async def follow(system: System, relaying: list[Relay]) -> None:
    """Mirror every log until cancelled."""
    poll_s = system.settings.reader_poll_ms / 1000
    async with asyncio.TaskGroup() as tasks:
        for relay in relaying:
            tasks.create_task(relay.run(poll_s), name=f"relay {relay.context}")
        for database in set(system.databases.values()):
            if not database.is_sqlite:
                bells = {c: system.bells[c] for c, of in system.databases.items() if of is database}
                tasks.create_task(listen(database, bells), name="listen")
