"""Makes a mirror say again what its log says."""

import asyncio

from infra.kafka.alone import alone
from infra.kafka.comparing import Compared
from infra.kafka.parts import Mirror
from infra.kafka.producing import Producing
from infra.kafka.relay import MAX_CHUNK
from infra.kafka.topics import remove

ALONE_S = 10.0
"""For how long a relay may still be there."""


class RelayRuns(Exception):
    """A mirror cannot be repaired while a relay works on it; the message says what to do."""


async def repair(mirror: Mirror, compared: Compared) -> int:
    """Send what the topic lacks, to the end of the log; return how many facts that were.

    When only its end is missing, that is sent. Otherwise the topic is deleted and made anew, as
    nothing can be put in between or taken out. Raises `RelayRuns`, `LogError`, and what Kafka's
    client raises; what was sent by then stays, and a relay or another repair goes on.
    """
    lock = alone(mirror.database, mirror.topic)
    try:
        async with asyncio.timeout(ALONE_S):
            await lock.__aenter__()
    except TimeoutError:
        raise RelayRuns(f"a relay of {mirror.context} runs; stop it for the repair") from None
    try:
        return await _send(mirror, compared)
    finally:
        await lock.__aexit__(None, None, None)


async def _send(mirror: Mirror, compared: Compared) -> int:
    if compared.difference and compared.resume_at is None:
        await asyncio.to_thread(remove, mirror.connection, mirror.topic)
    producing = await _producing(mirror)
    try:
        if compared.resume_at is not None:
            await asyncio.to_thread(producing.send, [], compared.resume_at)
        begun = producing.position
        while facts := await mirror.tail.read(producing.position, MAX_CHUNK):
            messages = [mirror.encoder(fact, at) for fact, at in facts]
            await asyncio.to_thread(producing.send, messages, facts[-1][1].position)
    finally:
        await asyncio.to_thread(producing.discard)
    # A commit is acknowledged before readers can see it; whoever begins next waits until they can.
    await asyncio.to_thread((await _producing(mirror)).discard)
    return producing.position - begun


async def _producing(mirror: Mirror) -> Producing:
    return await asyncio.to_thread(Producing, mirror.connection, mirror.topic, mirror.partitions)
