"""Group commit beside a fast store: half of the callers decide while the others' appends go."""

import asyncio
from uuid import UUID

import pytest

from infra.log.group import GroupCommit, Pending
from infra.log.port import Accepted
from tests.log.appends import append, fact
from tests.log.test_group import Unsteady, group, outcomes

__all__ = ["group"]
CALLERS = range(1, 41)


async def twice(commit: GroupCommit, number: int) -> None:
    """Append to a stream, wait for the answer, and append again."""
    for version in range(2):
        outcome = await commit.submit(append(UUID(int=number), version, fact())).outcome()
        assert isinstance(outcome, Accepted)


@pytest.mark.parametrize(
    ("ahead", "decision_s", "batches"),
    [(2, 60.0, [40, 20, 20]), (2, 0.0, [40, 40]), (1, 60.0, [40, 40])],
    ids=["store is faster", "store is slower", "store takes this process's time"],
)
def test_a_fast_store_works_while_half_of_those_it_answered_decide(
    group,
    ahead: int,
    decision_s: float,
    batches: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.log.group.DECISION_S", decision_s)

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        store.ahead = ahead
        await asyncio.gather(*(twice(commit, number) for number in CALLERS))
        assert store.batches == batches

    group(body)


def test_who_is_told_later_hears_of_it_when_the_queue_is_ended_before(
    group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.log.group.DECISION_S", 60.0)

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        store.ahead = 2
        pending = [commit.submit(append(UUID(int=n), 0, fact())) for n in CALLERS]
        await pending[0].outcome()
        assert not pending[-1].done
        for task in commit._sent:
            task.cancel()
        assert all(isinstance(one, Accepted) for one in await outcomes(*pending))

    group(body)


def test_what_was_decided_upon_a_batch_on_its_way_waits_for_it(group) -> None:
    """Were that refused, others might have written what this one expects to be there."""

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        store.ahead = 2
        first = commit.submit(append(UUID(int=1), 0, fact()))
        await asyncio.sleep(0)
        other = commit.submit(append(UUID(int=2), 0, fact()))
        upon = commit.submit(append(UUID(int=1), 1, fact()), [first])
        with_it = commit.submit(append(UUID(int=1), 2, fact()), [upon])
        found = await outcomes(first, other, upon, with_it)
        assert all(isinstance(one, Accepted) for one in found)
        assert store.batches == [1, 1, 2]

    group(body)


def test_what_was_decided_upon_another_log_is_not_kept_waiting_by_it(group) -> None:
    """Nothing in this log would ever tell that the other one has it."""

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        elsewhere = Pending(append(UUID(int=1), 0, fact()), ())
        upon = commit.submit(append(UUID(int=2), 0, fact()), [elsewhere])
        assert [type(one) for one in await outcomes(upon)] == [Accepted]

    group(body)
