"""Makes Kafka's clients; one that finds no broker leaves nothing behind.

kafka-python starts a client's thread before it knows of any broker, and forgets it, with its
sockets, when there is none. While Kafka is away for a day that would be thousands of threads.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from kafka.net import KafkaNetClient

C = TypeVar("C")


def made(kind: Callable[..., C], **options: Any) -> C:
    """Return a new admin, consumer or producer. Raises what its making raises."""
    begun: list[KafkaNetClient] = []

    def client(**given: Any) -> KafkaNetClient:
        begun.append(KafkaNetClient(**given))
        return begun[-1]

    try:
        return kind(**options, kafka_client=client)
    except BaseException:
        for one in begun:
            one.close()
        raise
