"""What a mirror of one context's log consists of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from infra.database import Database
from infra.kafka.encode import Encoder
from infra.kafka.ids import ids_of
from infra.kafka.topics import Connection
from infra.log.tail import Tail
from infra.schemas.cloudevents import topic_of
from infra.schemas.versions import Versions, committed
from infra.settings import Settings
from infra.system import System

SEPARATOR = ","


@dataclass(frozen=True, slots=True)
class Mirror:
    """A log, its topic, and how facts become messages."""

    context: str
    topic: str
    partitions: int
    """When the topic is made."""
    connection: Connection
    encoder: Encoder
    tail: Tail
    database: Database
    head: Callable[[], Awaitable[int]]
    """Returns the position of the log's last fact."""


def connection_of(settings: Settings) -> Connection:
    """Return what Kafka's client is told about the way to the brokers."""
    connection: Connection = {
        "bootstrap_servers": settings.kafka_bootstrap.split(SEPARATOR),
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_security.startswith("SASL"):
        connection["sasl_mechanism"] = settings.kafka_mechanism
        connection["sasl_plain_username"] = settings.kafka_user
        connection["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    files = {
        "ssl_cafile": settings.kafka_ca_file,
        "ssl_certfile": settings.kafka_certificate_file,
        "ssl_keyfile": settings.kafka_key_file,
    }
    return connection | {name: str(path) for name, path in files.items() if path is not None}


def mirrors(system: System, versions: Versions | None = None) -> list[Mirror]:
    """Return the mirror of each context of a system. Raises `Broken` where a schema is missing."""
    settings = system.settings
    known = versions or committed()
    ids = ids_of(settings.schema_registry_url, known)
    connection = connection_of(settings)
    return [
        Mirror(
            context,
            topic_of(context, settings.kafka_prefix),
            settings.kafka_partitions,
            connection,
            Encoder(
                {
                    topic: fact
                    for topic, fact in system.features.facts.items()
                    if topic.startswith(f"{context}.")
                },
                known,
                ids,
            ),
            system.tails[context],
            system.databases[context],
            system.logs[context].store.head,
        )
        for context in system.contexts
    ]
