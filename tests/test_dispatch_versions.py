"""Expected versions and ids that are taken."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from commands import Caller
from infra.dispatch import (
    Answer,
    Meta,
)
from infra.loading import IdTaken
from infra.log.group import MAX_TRIES
from infra.log.port import Append, Outcome, Store, Unavailable
from infra.session import VersionMoved
from tests.probe.job import (
    JobOver,
    KeepNote,
    NoteKept,
    PushBoth,
    PushJob,
    StartJob,
)
from tests.scenario import TELLER

A, B = UUID(int=0xA), UUID(int=0xB)
ann, bob = TELLER, Caller(actor="bob")
start = StartJob(job_id=A, name="dig")


def test_an_expected_version_is_checked(probe, other) -> None:
    assert probe.send(start, expected=0).receipt.version == 1
    for system in (probe.system, other):
        for wrong in (0, 2):
            with pytest.raises(VersionMoved) as moved:
                probe.send(PushJob(job_id=A), to=system, expected=wrong)
            assert moved.value.version == 1
    assert probe.send(PushJob(job_id=A), to=other, expected=1).receipt.version == 2
    assert probe.send(PushJob(job_id=A), expected=2).receipt.version == 3, "not on memory alone"


def test_of_two_with_one_expected_version_one_wins(probe) -> None:
    probe.send(start)

    async def body() -> list[object]:
        sent = (probe.system.dispatch(PushJob(job_id=A), ann, Meta(expected=1)) for _ in range(5))
        return list(await asyncio.gather(*sent, return_exceptions=True))

    assert sorted(type(one).__name__ for one in probe.run(body())) == [
        "Answer",
        *["VersionMoved"] * 4,
    ]


@pytest.mark.parametrize("arrives", [True, False])
def test_a_version_is_not_told_before_it_is_in_the_log(probe, arrives: bool) -> None:
    """Two pushes of A are on their way, decided in memory, when a third expects the first version.

    The second one was decided while the third looked into the log.
    """
    probe.send(start)
    probe.send(StartJob(job_id=B, name="dig"))
    log = probe.system.logs["probe"]
    log.streams.drop(B)  # to be read again, which takes its time
    way = Way(log.store, lost=0 if arrives else MAX_TRIES)
    log.group._store = way

    async def body() -> None:
        commands = [
            (PushJob(job_id=A), None),
            (PushBoth(job_id=A, other_id=B), None),
            (PushJob(job_id=A), 1),
        ]
        sent = [
            asyncio.create_task(probe.system.dispatch(command, ann, Meta(expected=expected)))
            for command, expected in commands
        ]
        told, _ = await asyncio.wait(sent, timeout=0.1)
        way.free.set()
        first, second, third = await asyncio.gather(*sent, return_exceptions=True)
        assert told == set(), "before anybody could know"
        assert isinstance(first, Answer if arrives else Unavailable)
        assert isinstance(second, Answer)
        if isinstance(third, Answer):
            assert (third.receipt.version, arrives) == (2, False)
        else:
            assert isinstance(third, VersionMoved)
            assert 1 < third.version <= len(await log.store.stream(A))

    probe.run(body())


class Way:
    """The outside world: the way to the store is long, and loses what is sent for some times."""

    context = "probe"
    ahead = 1
    waited_s = 0.0

    def __init__(self, store: Store, *, lost: int) -> None:
        self.free = asyncio.Event()
        self._store = store
        self._lost = lost

    async def append(self, batch: Sequence[Append]) -> list[Outcome | None]:
        await self.free.wait()
        if self._lost:
            self._lost -= 1
            raise Unavailable("it never arrived")
        return await self._store.append(batch)


def test_the_key_answers_before_the_expected_version_does(probe, other) -> None:
    probe.send(start)
    first = probe.send(PushJob(job_id=A), key="k", expected=1)
    for system in (probe.system, other):
        again = probe.send(PushJob(job_id=A), to=system, key="k", expected=1)
        assert again == Answer(first.receipt, replayed=True), "its own effect is what moved it"


def test_an_id_of_another_kind_is_taken(probe, other) -> None:
    probe.send(start)
    note = KeepNote(note_id=A, job_id=B, text="x")
    for system in (probe.system, other):
        with pytest.raises(IdTaken, match=r"probe\.job.*probe\.note.*another id"):
            probe.send(note, to=system)
    assert probe.send(PushJob(job_id=A)).receipt.version == 2


def test_an_id_that_one_kind_fails_to_take_is_free_for_the_other(probe) -> None:
    async def body() -> list[object]:
        refused = KeepNote(note_id=A, job_id=B, text="refused")
        sent = (probe.system.dispatch(command, ann) for command in (refused, start))
        return list(await asyncio.gather(*sent, return_exceptions=True))

    refused, started = probe.run(body())
    assert isinstance(refused, JobOver | IdTaken), "whichever was first"
    assert isinstance(started, Answer)


def test_asking_for_the_wrong_kind_hurts_nobody_else(probe, other) -> None:
    """Two commands load one stream at once, one of them as what it is not."""
    probe.send(start)

    async def body() -> list[object]:
        commands = [KeepNote(note_id=A, job_id=B, text="x"), PushJob(job_id=A)]
        return list(
            await asyncio.gather(
                *(other.dispatch(c, ann) for c in commands), return_exceptions=True
            )
        )

    assert [type(one) for one in probe.run(body())] == [IdTaken, Answer]


def test_a_taken_id_is_free_when_its_taker_failed(probe) -> None:
    async def body() -> list[object]:
        bad = StartJob(job_id=A, name="dig")
        object.__setattr__(bad, "name", "a\x00b")  # what no command can hold, to make it fail
        commands = [bad, KeepNote(note_id=A, job_id=B, text="x")]
        sent = (
            probe.system.dispatch(c, Caller(actor="ann", reason="a\x00b" if c is bad else None))
            for c in commands
        )
        return list(await asyncio.gather(*sent, return_exceptions=True))

    lost, kept = probe.run(body())
    assert type(lost).__name__ == "Rejected"
    assert isinstance(kept, Answer)
    assert probe.facts()[0][0] == NoteKept(job_id=B, text="x")
