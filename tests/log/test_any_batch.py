"""Whatever is in a batch and whatever the store does: everybody is answered, and rightly."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.log.group import GroupCommit, Pending
from infra.log.port import Accepted, Encoded, LogError, Rejected, Repeated, Stale, Unavailable
from tests.log.appends import append, fact
from tests.log.test_group import Unsteady, group, outcomes

__all__ = ["group"]

KINDS = st.sampled_from(["good", "good", "good", "stale", "repeated", "poison", "chained"])
TROUBLES = st.sampled_from(
    ["none", "away", "answer lost", "answer lost", "refused statement", "fault"]
)
POISON = Encoded("probe.job.pushed", b"no json")


def trouble(name: str) -> Exception | str:
    made: dict[str, Exception] = {
        "away": Unavailable("away"),
        "refused statement": LogError("no such function"),
        "fault": ZeroDivisionError("fault"),
    }
    return made.get(name, name)


class Mix:
    """Appends of many kinds on streams of their own."""

    def __init__(self, commit: GroupCommit, kinds: list[str]) -> None:
        self.kinds = kinds
        self.streams: list[UUID] = []
        self.pending: list[Pending] = []
        for kind in kinds:
            self._submit(commit, kind)

    def _submit(self, commit: GroupCommit, kind: str) -> None:
        stream, expected, facts, meta = uuid4(), 0, [fact()], dict[str, Any]()
        after: tuple[Pending, ...] = ()
        if kind == "stale":
            expected = 3
        elif kind == "poison":
            facts = [POISON]
        elif self.pending and kind == "repeated":
            meta = {"key": self.pending[-1].append.origin.key}
        elif self.pending and kind == "chained":
            before = self.pending[-1].append.writes[0]
            stream, expected, after = before.stream, before.last, (self.pending[-1],)
        self.streams.append(stream)
        self.pending.append(commit.submit(append(stream, expected, *facts, **meta), after))


@given(
    kinds=st.lists(KINDS, min_size=1, max_size=14),
    troubles=st.lists(TROUBLES, max_size=6),
    size=st.integers(1, 8),
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_everybody_is_answered_and_rightly(
    group: Any, kinds: list[str], troubles: list[str], size: int
) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        mix = Mix(commit, kinds)
        found = await outcomes(*mix.pending)  # the fixture gives up after seconds
        for number, (one, pending) in enumerate(zip(found, mix.pending, strict=True)):
            origin = pending.append.origin
            stored = await store.store.find(origin.actor, origin.command, origin.key)
            ours = stored is not None and stored.command_id == origin.command_id
            facts = [
                at
                for at in await store.store.stream(mix.streams[number])
                if at.at.command_id == origin.command_id
            ]
            assert len(facts) == (1 if ours else 0), "a fact and its receipt are one"
            if isinstance(one, Accepted):
                assert ours
                assert facts[0].at.position == one.position
            elif isinstance(one, Repeated):
                # Another one's, or its own: an earlier try of it, whose answer was lost.
                assert one.stored == stored
                assert ours <= bool(troubles)
            elif isinstance(one, Stale | Rejected):
                assert not ours
            else:
                # The answer was lost, and all tries to find out: the receipt tells, later.
                assert isinstance(one, LogError)
        if not troubles:
            plain = {"good": Accepted, "stale": Stale, "poison": Rejected}
            for kind, one in zip(kinds, found, strict=True):
                assert isinstance(one, plain.get(kind, object))

    group(body, *map(trouble, troubles), batch=size)


def test_many_poisonous_appends_cost_a_bounded_number_of_transactions(group: Any) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        good = [commit.submit(append(uuid4(), 0, fact())) for _ in range(31)]
        bad = commit.submit(append(uuid4(), 0, POISON))
        *fine, rejected = await outcomes(*good, bad)
        assert all(isinstance(one, Accepted) for one in fine)
        assert isinstance(rejected, Rejected)
        # Each halving sends both halves: twice the logarithm of 32, and the whole at first.
        assert len(store.batches) <= 1 + 2 * 5

    group(body)


def test_callers_who_go_away_leave_the_others_alone(group: Any) -> None:
    async def body(commit: GroupCommit, store: Unsteady) -> None:
        pending = [commit.submit(append(uuid4(), 0, fact())) for _ in range(6)]
        callers = [asyncio.create_task(one.outcome()) for one in pending]
        await asyncio.sleep(0)
        for caller in callers[::2]:
            caller.cancel()
        found = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(one) for one in found] == [asyncio.CancelledError, Accepted] * 3
        assert all(isinstance(one, Accepted) for one in await outcomes(*pending))

    group(body, "none", "away", batch=2)
