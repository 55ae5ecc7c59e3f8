"""The same key has the same answer for ever; each command is one line in the log."""

import asyncio
from uuid import UUID, uuid4

import pytest
import structlog
from pydantic import ValidationError

from commands import Caller
from domain import NotFound, Refused
from infra.dispatch import (
    MAX_KEY,
    Answer,
    BadKey,
    InFlight,
    KeyReused,
    Meta,
    Replayed,
)
from tests.probe.job import (
    EndJob,
    NoSuchJob,
    OddName,
    PushJob,
    StartJob,
)
from tests.scenario import TELLER

A, B = UUID(int=0xA), UUID(int=0xB)
ann, bob = TELLER, Caller(actor="bob")
start = StartJob(job_id=A, name="dig")


def test_the_same_key_and_body_have_the_same_answer(probe) -> None:
    first = probe.send(start, key="k")
    again = probe.send(start, key="k")
    assert not first.replayed
    assert again == Answer(first.receipt, replayed=True)
    assert probe.head() == 1


def test_the_answer_stays_the_same_after_a_restart(probe, other) -> None:
    first = probe.send(start, key="k")
    probe.send(PushJob(job_id=A))
    assert probe.send(start, to=other, key="k").receipt == first.receipt


def test_an_id_that_the_handler_chose_stays(probe) -> None:
    command = StartJob(name="dig")
    first = probe.send(command, key="k")
    assert probe.send(command, key="k").receipt == first.receipt
    assert probe.send(command, key="l").receipt.stream != first.receipt.stream


def test_the_same_key_with_another_body_is_refused(probe, other) -> None:
    probe.send(start, key="k")
    for system in (probe.system, other):
        with pytest.raises(KeyReused, match="'k'"):
            probe.send(StartJob(job_id=A, name="other"), to=system, key="k")
    with pytest.raises(KeyReused):
        probe.send(start, key="k", expected=1)
    assert probe.head() == 1


def test_a_key_belongs_to_its_caller_and_command(probe) -> None:
    probe.send(start, key="k")
    assert not probe.send(StartJob(job_id=B, name="dig"), by=bob, key="k").replayed
    assert not probe.send(PushJob(job_id=A), key="k").replayed


def test_a_refusal_is_given_again_though_it_would_no_longer_be_refused(probe, other) -> None:
    with pytest.raises(NoSuchJob) as first:
        probe.send(PushJob(job_id=A), key="k")
    probe.send(start)
    for system in (probe.system, other):
        with pytest.raises(NotFound) as again:
            probe.send(PushJob(job_id=A), to=system, key="k")
        assert (again.value.code, again.value.detail) == ("no_such_job", first.value.detail)
        assert isinstance(again.value.__cause__, Replayed)
    assert probe.send(PushJob(job_id=A), key="l").receipt.version == 2


def test_a_sender_that_repeats_its_command_id_too_has_the_first_answer(probe, other) -> None:
    """A process that was killed before it noted the answer sends the very same command again."""
    refused, accepted = (
        {"key": key, "command_id": uuid4(), "correlation_id": uuid4()} for key in ("k", "l")
    )
    with pytest.raises(NoSuchJob):
        probe.send(PushJob(job_id=A), **refused)
    probe.send(start)
    first = probe.send(PushJob(job_id=A), **accepted)
    for system in (probe.system, other):
        with pytest.raises(NotFound, match="no such job"):
            probe.send(PushJob(job_id=A), to=system, **refused)
    probe.send(EndJob(job_id=A, reason="x"))
    for system in (probe.system, other):
        assert probe.send(PushJob(job_id=A), to=system, **accepted).receipt == first.receipt
        with pytest.raises(NotFound, match="no such job"):  # and not that the job is over
            probe.send(PushJob(job_id=A), to=system, **refused)
    assert probe.head() == 3


def test_a_refusal_is_in_the_receipts_with_what_it_was_about(probe) -> None:
    with pytest.raises(OddName):
        probe.send(StartJob(job_id=A, name="odd"), key="k")
    stored = probe.run(probe.system.logs["probe"].store.find(ann.actor, "probe.StartJob", "k"))
    assert (stored.refusal.code, stored.refusal.type) == ("odd_name", "invalid")
    assert (stored.stream, stored.version, stored.facts) == (A, 0, 0)


def test_a_key_that_is_being_worked_on_is_in_flight(probe) -> None:
    async def body() -> None:
        twice = [probe.system.dispatch(start, ann, Meta(key="k")) for _ in range(2)]
        first, second = await asyncio.gather(*twice, return_exceptions=True)
        assert isinstance(first, Answer)
        assert isinstance(second, InFlight)
        assert (await probe.system.dispatch(start, ann, Meta(key="k"))).replayed

    probe.run(body())


def test_two_processes_with_one_key_have_one_effect(probe, other) -> None:
    async def body() -> None:
        for number in range(10):
            meta, command = Meta(key=f"k{number}"), StartJob(name="dig")
            both = [system.dispatch(command, ann, meta) for system in (probe.system, other)]
            one, two = await asyncio.gather(*both)
            assert one.receipt == two.receipt
            assert {one.replayed, two.replayed} == {True, False}

    probe.run(body())
    assert probe.head() == 10


def test_a_caller_who_left_finds_the_answer_by_the_key(probe) -> None:
    async def body() -> None:
        task = asyncio.create_task(probe.system.dispatch(start, ann, Meta(key="k")))
        while not probe.system.logs["probe"].group._waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await probe.system.dispatch(start, ann, Meta(key="k"))).replayed

    probe.run(body())
    assert probe.head() == 1


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY + 1)])
def test_a_key_has_a_bound(probe, key: str) -> None:
    with pytest.raises(BadKey):
        probe.send(start, key=key)
    assert not probe.send(start, key="🙂" * MAX_KEY).replayed


def test_an_unknown_command_and_a_malformed_one_say_so(probe) -> None:
    with pytest.raises(LookupError, match="Scenario is no command of this process"):
        probe.send(probe)
    with pytest.raises(ValidationError):
        StartJob(job_id=A, name="dig", unknown=1)  # type: ignore[call-arg]


def test_each_command_is_one_line_in_the_log_without_its_values(probe) -> None:
    correlation = uuid4()
    with structlog.testing.capture_logs() as lines:
        probe.send(StartJob(job_id=A, name="canary"), correlation_id=correlation)
        with pytest.raises(Refused):
            probe.send(StartJob(job_id=B, name="odd"), correlation_id=correlation)
        probe.send(PushJob(job_id=A, note="canary"), correlation_id=correlation, key="canary-key")
    assert [line["event"] for line in lines] == ["command"] * 3
    for line in lines:
        assert (line["actor"], line["context"]) == (ann.actor, "probe")
        assert line["correlation_id"] == correlation
        assert line["ms"] > 0
    assert [line["result"] for line in lines] == ["accepted", "odd_name", "accepted"]
    assert [line["position"] for line in lines] == [1, None, 2]
    assert [line["version"] for line in lines] == [1, None, 2]
    assert "canary" not in repr(lines)
