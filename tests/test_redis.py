"""The way to Redis: calls are bounded whatever it does, and a dead one is not waited for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from pydantic import ValidationError

from api.cli import doctor
from infra import redis
from infra.counting import SharedCounters, shared_counters
from infra.redis import Away, Link
from infra.settings import Settings
from infra.throttle import Throttle, TooManyTries
from tests.redises import Server, liar, shared_url

SOON_S, LONG_S = 0.2, 5.0
"""For what does not answer, and for what does."""
LIMIT = RateLimitItemPerSecond(3, 300)
Results = Counter[str]


@asynccontextmanager
async def linked(url: str, timeout_s: float = SOON_S) -> AsyncIterator[tuple[Link, Results]]:
    results: Results = Counter()
    link = Link(url, timeout_s, lambda _, result: results.update([result]))
    try:
        yield link, results
    finally:
        await link.close()


async def asked(link: Link) -> str:
    try:
        await link.call("test", link.client.ping)
    except Away:
        return "away"
    return "answered"


async def until_answered(link: Link) -> None:
    async with asyncio.timeout(10):
        while await asked(link) == "away":  # noqa: ASYNC110 - there is nothing to be told by
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_one_that_is_away_is_not_waited_for_by_each_call(private: Server, fault: str) -> None:
    async def calls(monkeypatch: pytest.MonkeyPatch) -> None:
        async with linked(private.url) as (link, results):
            await until_answered(link)
            results.clear()
            monkeypatch.setattr(redis, "FIRST_PAUSE_S", 60)
            getattr(private, fault)()
            assert [await asked(link) for _ in range(100)] == ["away"] * 100
            assert results == {"failed": 1, "skipped": 99}

    try:
        with pytest.MonkeyPatch.context() as patched:
            asyncio.run(calls(patched))
    finally:
        private.kill()


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_one_that_comes_back_is_used_again(private: Server, fault: str) -> None:
    async def calls() -> None:
        async with linked(private.url) as (link, _):
            await until_answered(link)
            getattr(private, fault)()
            assert await asked(link) == "away"
            private.start() if fault == "kill" else private.resume()
            await until_answered(link)

    asyncio.run(calls())


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones(private: Server) -> None:
    async def calls() -> None:
        private.client.mset({"one": 1, "two": 2})
        async with linked(private.url) as (link, _):
            await until_answered(link)
            private.pause()
            with pytest.raises(Away):
                await link.call("test", lambda: link.client.get("one"))
            private.resume()
            await until_answered(link)
            assert await link.client.get("two") == b"2"

    asyncio.run(calls())


def test_while_one_asks_whether_it_is_back_the_others_do_not(private: Server) -> None:
    async def calls() -> None:
        async with linked(private.url) as (link, results):
            private.kill()
            assert await asked(link) == "away"
            await asyncio.sleep(redis.FIRST_PAUSE_S)
            await asyncio.gather(*(asked(link) for _ in range(20)))
            assert results == {"failed": 2, "skipped": 19}

    asyncio.run(calls())


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n",
        b":not a number\r\n",
        b"$999999999999\r\nshort",
        b"*1\r\n" * 100_000,
        b"\xff\xfe\x00",
        b"+",
        b"-ERR no\r\n",
    ],
    ids=["words", "number", "length", "nested", "bytes", "half", "error"],
)
def test_one_that_speaks_nonsense_counts_as_away(answer: bytes) -> None:
    async def calls() -> None:
        async with liar(answer) as url, linked(url) as (link, _):
            assert await asked(link) == "away"

    asyncio.run(calls())


def test_an_error_about_one_key_is_no_reason_to_stop_asking(private: Server) -> None:
    async def calls() -> None:
        private.client.rpush("list", 1)
        async with linked(private.url, LONG_S) as (link, results):
            with pytest.raises(Away):
                await link.call("test", lambda: link.client.get("list"))
            assert await asked(link) == "answered"
            assert results == {"wrong": 1, "answered": 1}

    asyncio.run(calls())


@pytest.mark.parametrize("runs", [True, False])
def test_the_doctor_says_how_it_is(private: Server, runs: bool) -> None:
    if not runs:
        private.kill()
    url = private.url.replace("//", "//:secret@") if not runs else private.url
    settings = Settings(redis_url=url, redis_ms=5_000)

    async def findings() -> list[tuple[bool, str]]:
        return [one async for one in doctor.redis(settings)]

    ((good, said),) = asyncio.run(findings())
    assert good is runs
    assert ("answers" if runs else "does not answer") in said
    assert "secret" not in said


def test_no_redis_is_nothing_to_say() -> None:
    async def findings() -> list[tuple[bool, str]]:
        return [one async for one in doctor.redis(Settings(redis_url=""))]

    assert asyncio.run(findings()) == []


def test_a_setting_that_names_no_redis_is_refused() -> None:
    with pytest.raises(ValidationError, match="names no Redis"):
        Settings(redis_url="memcached://127.0.0.1")


# ── counters of limits ───────────────────────────────────────────────────────────────────────


class Process:
    """What one process counts with."""

    def __init__(self, link: Link, prefix: str = "test") -> None:
        self.storage = shared_counters(MemoryStorage(), link, prefix)
        self._limiter = SlidingWindowCounterRateLimiter(self.storage)

    async def tries(self, number: int) -> int:
        """Try so often; return how many tries were let through."""
        return sum([await self._limiter.hit(LIMIT, "ada", "192.0.2.1") for _ in range(number)])

    async def left(self) -> int:
        return (await self._limiter.get_window_stats(LIMIT, "ada", "192.0.2.1")).remaining


def counting(
    url: str, work: Callable[[Process, Process], Awaitable[None]], timeout_s: float = LONG_S
) -> None:
    async def run() -> None:
        async with linked(url, timeout_s) as (one, _), linked(url, timeout_s) as (other, _):
            await work(Process(one), Process(other))

    asyncio.run(run())


def test_processes_count_together(private: Server) -> None:
    async def work(one: Process, other: Process) -> None:
        assert await one.tries(2) == 2
        assert await other.left() == 1
        assert await other.tries(2) == 1
        assert await one.tries(1) == 0

    counting(private.url, work)
    for key in private.client.scan_iter():
        assert b"ada" not in key, "Redis need not know who logs in"
        assert private.client.ttl(key) > 0


@pytest.mark.parametrize("fault", ["kill", "pause", "flush", "poison"])
def test_each_process_counts_by_itself_when_redis_does_not(private: Server, fault: str) -> None:
    """Nobody has more tries in a process than one has, and nobody is locked out."""

    async def work(one: Process, other: Process) -> None:
        assert await one.tries(2) == 2
        break_it(private, fault)
        assert await one.tries(5) == 1
        assert await one.left() == 0
        if fault != "flush":
            assert await other.tries(5) == 3

    counting(private.url, work, SOON_S if fault == "pause" else LONG_S)
    private.kill()


def break_it(private: Server, fault: str) -> None:
    match fault:
        case "kill":
            private.kill()
        case "pause":
            private.pause()
        case "flush":
            private.client.flushall()
        case "poison":
            for key in private.client.scan_iter():
                private.client.delete(key)
                private.client.rpush(key, "poison")


def test_one_that_always_says_yes_lets_nobody_try_more_often() -> None:
    async def calls() -> None:
        async with liar(b":1\r\n") as url, linked(url) as (link, _):
            assert await Process(link).tries(9) == 3

    asyncio.run(calls())


def test_systems_that_share_a_redis_count_apart() -> None:
    async def calls() -> None:
        async with linked(shared_url(), LONG_S) as (link, _):
            one, other = Process(link, "test-one"), Process(link, "test-two")
            for process in (one, other):
                assert isinstance(process.storage, SharedCounters)
                await process.storage.clear_sliding_window(LIMIT.key_for("ada", "192.0.2.1"), 300)
            assert await one.tries(4) == 3
            assert await other.tries(4) == 3

    asyncio.run(calls())


def test_tries_to_log_in_are_counted_for_all_processes_together(private: Server) -> None:
    async def calls() -> None:
        async with linked(private.url, LONG_S) as (link, _):
            shared = partial(shared_counters, link=link, prefix="test")
            one, other = Throttle(2, shared), Throttle(2, shared)
            await one.try_login("ada", "192.0.2.1")
            await other.try_login("Ada", "192.0.2.1")
            with pytest.raises(TooManyTries):
                await one.try_login("ada", "192.0.2.1")
            await one.logged_in("ada", "192.0.2.1")
            await one.try_login("ada", "192.0.2.1")

    asyncio.run(calls())
