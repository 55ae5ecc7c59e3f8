"""Appends that a store will not take, and faults on the way: nobody else pays much, none hangs."""

import asyncio
import gc
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
import structlog

from infra.log.group import GroupCommit
from infra.log.port import Accepted, Append, Outcome, Rejected, Stale, Unavailable
from tests.log.appends import A, append, fact
from tests.log.test_group import Unsteady, group, outcomes

__all__ = ["group"]


@pytest.mark.parametrize("poisonous", [1, 2, 8, 32, 128])
def test_poisonous_appends_cost_the_others_a_bounded_number_of_calls(group, poisonous: int) -> None:
    """Halving finds each of them within twice the logarithm of what is between two of them."""
    size = 128

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        faulty = set(range(0, size, size // poisonous))
        pending = [
            commit.submit(append(UUID(int=n + 1), 0, fact(), reason="\0" if n in faulty else None))
            for n in range(size)
        ]
        for number, outcome in enumerate(await outcomes(*pending)):
            assert isinstance(outcome, Rejected if number in faulty else Accepted)
        between = size // poisonous
        assert len(store.batches) <= 2 * poisonous * between.bit_length()

    group(body, batch=size, queue=size)


def test_one_that_says_nothing_new_is_not_asked_for_ever(group) -> None:
    class Idle(Unsteady):
        async def append(self, batch: Sequence[Append]) -> list[Outcome | None]:
            self.batches.append(len(batch))
            return [None] * len(batch)

    async def body(_: GroupCommit, store: Unsteady) -> None:
        idle = Idle(store.store)
        commit = GroupCommit(idle, batch=9, queue=9, observe=lambda size, s: None)  # type: ignore[arg-type]
        with structlog.testing.capture_logs():
            found = await outcomes(*[commit.submit(append(A, n, fact())) for n in range(3)])
        assert [type(one) for one in found] == [Unavailable] * 3
        assert idle.batches == [3]

    group(body)


def test_a_log_that_cannot_be_written_keeps_nobody_waiting(group) -> None:
    """What goes wrong is told to those who wait before it is told to the operator."""

    def closed(*_: object) -> str:
        raise OSError("stderr is closed")

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        # What the task ends with goes to the loop, and there is nowhere to write that either.
        ended: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: ended.append(context["exception"]))
        structlog.configure(processors=[closed])
        pending = [commit.submit(append(A, n, fact())) for n in range(3)]
        found = await outcomes(*pending)
        # The third was decided upon the second, which is not in the log.
        assert [type(one) for one in found] == [Unavailable, Unavailable, Stale]
        assert isinstance((await outcomes(commit.submit(append(A, 0, fact()))))[0], Accepted)
        gc.collect()
        loop.set_exception_handler(None)
        assert {type(one) for one in ended} <= {OSError}

    group(body, ZeroDivisionError("fault"), batch=2)


@pytest.mark.parametrize("store", ["postgres"])
def test_a_key_that_no_index_can_hold_fails_its_append_only(group) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        keys = ["one", secrets.token_hex(20_000), "three"]  # chance, so that it does not compress
        sent = [
            commit.submit(append(UUID(int=n), 0, fact(), key=key)) for n, key in enumerate(keys)
        ]
        one, two, three = await outcomes(*sent)
        assert isinstance(one, Accepted)
        assert isinstance(three, Accepted)
        assert isinstance(two, Rejected)
        assert "index row" in str(two)
        assert keys[1] not in str(two)

    group(body)
