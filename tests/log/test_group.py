"""Group commit: every append gets its own answer, whatever happens to its batch."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

import pytest
import stamina
import structlog

from infra.log.group import MAX_TRIES, RETRY_S, GroupCommit
from infra.log.port import (
    Accepted,
    Append,
    Busy,
    LogError,
    Outcome,
    Rejected,
    Repeated,
    Stale,
    Unavailable,
)
from tests.log.appends import A, B, C, append, fact, store_of


class Unsteady:
    """The outside world: a store that fails as it is told to before it passes a batch on."""

    context = "probe"
    ahead = 1
    waited_s = 0.0

    def __init__(self, store: Any, *troubles: Exception | str) -> None:
        self.store = store
        self.troubles = list(troubles)
        self.batches: list[int] = []

    async def append(self, batch: Sequence[Append]) -> list[Outcome | None]:
        self.batches.append(len(batch))
        trouble = self.troubles.pop(0) if self.troubles else None
        if isinstance(trouble, Exception):
            raise trouble
        outcomes: list[Outcome | None] = await self.store.append(batch)
        if trouble == "answer lost":
            raise Unavailable("the answer was lost")
        return outcomes


Test = Callable[[GroupCommit, Unsteady], Coroutine[Any, Any, None]]


@pytest.fixture
def group(probe):
    """Run a test in one event loop, with a group before an unsteady store."""

    def run(test: Test, *troubles: Exception | str, batch: int = 100, queue: int = 100) -> None:
        async def body() -> None:
            unsteady = Unsteady(store_of(probe), *troubles)
            commit = GroupCommit(
                unsteady,  # type: ignore[arg-type]
                batch=batch,
                queue=queue,
                observe=lambda size, seconds: None,
            )
            async with asyncio.timeout(20):
                await test(commit, unsteady)
                await commit.close()

        probe.run(body())

    return run


async def outcomes(*pending: Any) -> list[Any]:
    return await asyncio.gather(*(one.outcome() for one in pending), return_exceptions=True)


def test_what_arrives_while_one_is_written_goes_together(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        first = commit.submit(append(A, 0, fact()))
        await asyncio.sleep(0)  # the first is on its way, alone
        rest = [commit.submit(append(A, 1 + n, fact())) for n in range(9)]
        assert all(isinstance(one, Accepted) for one in await outcomes(first, *rest))
        assert store.batches == [1, 9]

    group(body)


def test_who_stood_behind_another_process_lets_more_join_the_next_batch(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        store.waited_s = 3600.0  # the pause has a bound
        first = commit.submit(append(A, 0, fact()))
        await asyncio.sleep(0)
        assert store.batches == []
        second = commit.submit(append(B, 0, fact()))
        assert all(isinstance(one, Accepted) for one in await outcomes(first, second))
        assert store.batches == [2]

    group(body)


def test_a_batch_has_a_bound(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        await outcomes(*[commit.submit(append(A, n, fact())) for n in range(10)])
        assert store.batches == [4, 4, 2]

    group(body, batch=4)


@pytest.mark.parametrize("faulty", range(7))
def test_a_value_the_store_refuses_fails_its_append_only(group, faulty: int) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        streams = [A, B, C, A, B, C, A]
        pending: list[Any] = []
        for number, stream in enumerate(streams):
            before = [pending[n] for n in range(number) if streams[n] == stream]
            lost = faulty < number and streams[faulty] == stream
            expected = len(before)
            reason = "a\x00b" if number == faulty else f"ok, {lost=}"
            pending.append(commit.submit(append(stream, expected, fact(), reason=reason), before))
        for number, outcome in enumerate(await outcomes(*pending)):
            if number == faulty:
                assert isinstance(outcome, Rejected)
            elif number > faulty and streams[number] == streams[faulty]:
                assert outcome == Stale(None), "it was decided on what never happened"
            else:
                assert isinstance(outcome, Accepted)

    group(body)


def test_a_stale_append_takes_those_built_upon_it_along(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        await outcomes(commit.submit(append(A, 0, fact())))
        late = commit.submit(append(A, 0, fact()))
        upon = commit.submit(append(B, 0, fact()), [late])
        upon_that = commit.submit(append(C, 0, fact()), [upon])
        free = commit.submit(append(UUID(int=0xD), 0, fact()))
        found = await outcomes(late, upon, upon_that, free)
        assert found[:3] == [Stale(A), Stale(None), Stale(None)]
        assert isinstance(found[3], Accepted)
        # One that is submitted when the loss is known already is lost as well.
        assert await outcomes(commit.submit(append(B, 0, fact()), [upon])) == [Stale(None)]

    group(body)


def test_a_store_that_is_away_for_a_moment_is_tried_again(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        found = await outcomes(*[commit.submit(append(A, n, fact())) for n in range(3)])
        assert [one.stored.position for one in found] == [1, 2, 3]
        assert store.batches == [3, 3, 3]

    group(body, *[Unavailable("away")] * (MAX_TRIES - 1))


def test_the_pauses_between_tries_are_short(group) -> None:
    pauses: list[float] = []

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        assert isinstance((await outcomes(commit.submit(append(A, 0, fact()))))[0], Accepted)

    stamina.instrumentation.set_on_retry_hooks([lambda retry: pauses.append(retry.wait_for)])
    try:
        group(body, *[Unavailable("away")] * (MAX_TRIES - 1))
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    assert pauses == pytest.approx([RETRY_S * 2**number for number in range(MAX_TRIES - 1)])


def test_a_lost_answer_is_found_again_by_the_receipts(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        pending = [commit.submit(append(A, n, fact())) for n in range(3)]
        found = await outcomes(*pending)
        assert all(isinstance(one, Repeated) for one in found)
        assert [one.stored.position for one in found] == [1, 2, 3]
        ids = [one.append.origin.command_id for one in pending]
        assert [one.stored.command_id for one in found] == ids
        assert await store.store.head() == 3, "it was written once"

    group(body, "answer lost")


def test_a_store_that_stays_away_fails_the_batch_and_serves_the_next(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        lost = [commit.submit(append(A, n, fact())) for n in range(3)]
        assert [str(one) for one in await outcomes(*lost)] == ["away"] * 3
        upon = commit.submit(append(A, 3, fact()), [lost[2]])
        assert await outcomes(upon) == [Stale(None)]
        (accepted,) = await outcomes(commit.submit(append(A, 0, fact())))
        assert accepted.stored.position == 1

    group(body, *[Unavailable("away")] * MAX_TRIES)


def test_a_statement_the_store_refuses_fails_the_batch_with_its_error(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        found = await outcomes(*[commit.submit(append(A, n, fact())) for n in range(2)])
        assert [str(one) for one in found] == ["no such function"] * 2
        assert isinstance((await outcomes(commit.submit(append(A, 0, fact()))))[0], Accepted)

    group(body, LogError("no such function"))


def test_a_fault_in_the_store_reaches_everyone_and_ends_nothing(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        with structlog.testing.capture_logs() as lines:
            first = commit.submit(append(A, 0, fact()))
            await asyncio.sleep(0)
            later = commit.submit(append(B, 0, fact()))
            broken, fine = await outcomes(first, later)
        assert isinstance(broken, Unavailable)
        assert "ZeroDivisionError" in str(broken)
        assert isinstance(fine, Accepted)
        assert [line["event"] for line in lines] == ["append broken off"]

    group(body, ZeroDivisionError("secret"))


def test_a_fault_in_an_observer_hangs_nobody(probe) -> None:
    def observe(size: int, seconds: float) -> None:
        raise ZeroDivisionError

    async def body() -> None:
        commit = GroupCommit(store_of(probe), batch=1, queue=10, observe=observe)
        pending = [commit.submit(append(A, n, fact())) for n in range(3)]
        with structlog.testing.capture_logs():
            async with asyncio.timeout(20):
                found = await outcomes(*pending)
                await commit.close()
        assert all(isinstance(one, Accepted) for one in found)

    probe.run(body())


@pytest.mark.parametrize("turns", [1, 2, 4])
def test_nobody_hangs_when_the_writing_task_is_cancelled(group, turns: int) -> None:
    """After so many turns of the loop: before it has begun, or at its first batch."""

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        pending = [commit.submit(append(A, n, fact())) for n in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in commit._sent:
            task.cancel()
        found = await outcomes(*pending)
        assert all(isinstance(one, Unavailable) for one in found)
        again = commit.submit(append(B, 0, fact()))
        assert isinstance((await outcomes(again))[0], Accepted)

    group(body, batch=2)


def test_a_full_queue_says_busy_and_forgets_nothing(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        pending = [commit.submit(append(A, n, fact())) for n in range(3)]
        with pytest.raises(Busy, match=r"3 commands wait for the probe log.*same key"):
            commit.submit(append(A, 3, fact()))
        assert all(isinstance(one, Accepted) for one in await outcomes(*pending))
        commit.submit(append(A, 3, fact()))

    group(body, queue=3)


def test_a_caller_who_gives_up_does_not_stop_the_append(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        pending = commit.submit(append(A, 0, fact()))
        caller = asyncio.create_task(pending.outcome())
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await commit.close()
        assert await store.store.head() == 1
        assert isinstance(await pending.outcome(), Accepted)

    group(body)


def test_the_same_key_twice_in_a_batch_is_one_effect(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        twins = [commit.submit(append(stream, 0, fact(), key="k")) for stream in (A, B)]
        other = commit.submit(append(C, 0, fact()))
        first, second, third = await outcomes(*twins, other)
        assert isinstance(first, Accepted)
        assert isinstance(second, Repeated)
        assert second.stored == first.stored
        assert isinstance(third, Accepted)
        assert await store.store.head() == 2

    group(body)
