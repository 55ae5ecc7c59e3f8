"""Group commit beside a fast store: half of the callers decide while the others' appends go."""

import asyncio
from uuid import UUID

import pytest

from infra.log.group import GroupCommit
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
    ("beside", "decision_s", "batches"),
    [(True, 60.0, [40, 20, 20]), (True, 0.0, [40, 40]), (False, 60.0, [40, 40])],
    ids=["store is faster", "store is slower", "store takes this process's time"],
)
def test_a_fast_store_works_while_half_of_those_it_answered_decide(
    group,
    beside: bool,
    decision_s: float,
    batches: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.log.group.DECISION_S", decision_s)

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        store.beside = beside
        await asyncio.gather(*(twice(commit, number) for number in CALLERS))
        assert store.batches == batches

    group(body)


def test_who_is_told_later_hears_of_it_when_the_queue_is_ended_before(
    group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.log.group.DECISION_S", 60.0)

    async def body(commit: GroupCommit, store: Unsteady) -> None:
        store.beside = True
        pending = [commit.submit(append(UUID(int=n), 0, fact())) for n in CALLERS]
        await pending[0].outcome()
        assert not pending[-1].done
        assert commit._task
        commit._task.cancel()
        assert all(isinstance(one, Accepted) for one in await outcomes(*pending))

    group(body)
