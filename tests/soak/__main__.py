"""`python -m tests.soak --kills 300`: kill writers, readers and PostgreSQL, and check the logs."""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

import structlog

import infra.log.postgres
from infra.services import postgres
from tests.checkout import NO_PROGRAMS, bare_checkout
from tests.log.server import Server
from tests.soak.world import Soak, World

POOL_WAIT_S = 0.2
"""Instead of the 5 s that a command waits for a connection: outages are short here."""
GRACE_S = 120
"""What the last kill and the checks at the end may take beyond the time that is given."""


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="how many (300)")
    parser.add_argument("--seconds", type=int, default=900, help="for how long at most (900)")
    parser.add_argument("--seed", type=int, help="repeat what another run has tried")
    return parser.parse_args(words)


async def soak(server: Server, folder: Path, given: argparse.Namespace, seed: int) -> Soak:
    """Kill until there are enough kills, no more time, or something is wrong."""
    async with (
        asyncio.timeout(given.seconds + GRACE_S),
        World.opened("postgres", server.url) as first,
        World.opened("sqlite", f"sqlite:///{folder / 'soak.db'}") as second,
    ):
        running = Soak(server, (first, second), random.Random(seed))
        end = time.monotonic() + given.seconds
        while running.kills.total() < given.kills and time.monotonic() < end:
            await running.kill()
            if running.wrong:
                return running
        await running.check(to_the_end=True)
        return running


def main(words: list[str]) -> int:
    """Run it and return the exit status: 1 when anything was wrong."""
    given = arguments(words)
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    if not postgres.programs():
        print(NO_PROGRAMS, file=sys.stderr)
        return 2
    infra.log.postgres.POOL_WAIT_S = POOL_WAIT_S  # type: ignore[attr-defined]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    started = time.monotonic()
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, bare_checkout(Path(folder)) as checkout:
        running = asyncio.run(soak(Server(checkout), Path(folder), given, seed))
    print(running.report())
    print(f"{running.kills.total()} kills in {time.monotonic() - started:.0f} s, seed {seed}")
    return 1 if running.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
