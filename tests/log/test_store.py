"""What a log promises, on both stores."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from infra.log.port import (
    Accepted,
    Append,
    Refusal,
    Rejected,
    Repeated,
    Stale,
    Tracked,
    Write,
)
from tests.log.appends import A, B, C, append, fact, origin

PAST = datetime(1999, 1, 1, tzinfo=UTC)


def test_positions_are_gapless_and_in_commit_order(log) -> None:
    first = log.append([append(A, 0, fact(1), fact(2)), append(B, 0, fact(3))])
    second = log.append([append(A, 2, fact(4))])
    assert [(one.stored.position, one.stored.version) for one in first + second] == [
        (2, 2),
        (3, 1),
        (4, 3),
    ]
    read = log.read(0, 10)
    assert [one.at.position for one in read] == [1, 2, 3, 4]
    assert [(one.at.stream, one.at.version) for one in read] == [(A, 1), (A, 2), (B, 1), (A, 3)]
    assert log.head() == 4


def test_nothing_of_a_failed_batch_takes_a_position(log) -> None:
    log.append([append(A, 0, fact())])
    assert log.append([append(B, 0, fact()), append(A, 0, fact())]) == [None, Stale(A)]
    assert log.head() == 1
    assert log.stream(B) == []
    assert len(log.receipts(limit=10)) == 1
    (accepted,) = log.append([append(B, 0, fact())])
    assert accepted.stored.position == 2


def test_an_empty_log_has_nothing(log) -> None:
    assert log.head() == 0
    assert log.read(0, 10) == []
    assert log.stream(A) == []
    assert log.receipts(limit=10) == []
    assert log.find("somebody", "probe.PushJob", "key") is None
    assert log.position_at(datetime.now(UTC)) == 0


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_another_version_than_expected_is_stale(log, expected: int) -> None:
    log.append([append(A, 0, fact(), fact())])
    assert log.append([append(A, expected, fact())]) == [Stale(A)]
    assert isinstance(log.append([append(A, 2, fact())])[0], Accepted)


def test_a_check_without_facts_is_stale_too(log) -> None:
    log.append([append(A, 0, fact())])
    refusal = Refusal("job_over", "it is over")
    assert log.append([append(A, 0, refusal=refusal)]) == [Stale(A)]
    (accepted,) = log.append([append(A, 1, refusal=refusal)])
    assert accepted.stored.refusal == refusal
    assert (accepted.stored.facts, accepted.stored.version, accepted.stored.position) == (0, 1, 1)
    assert log.head() == 1


def test_appends_of_one_batch_build_upon_each_other(log) -> None:
    outcomes = log.append([append(A, 0, fact()), append(A, 1, fact()), append(A, 1, fact())])
    assert outcomes == [None, None, Stale(A)]
    outcomes = log.append([append(A, 0, fact()), append(A, 1, fact())])
    assert [one.stored.version for one in outcomes] == [1, 2]


def test_an_append_to_several_streams_is_all_or_nothing(log) -> None:
    log.append([append(B, 0, fact())])
    both = (Write(A, 0, (fact(),)), Write(B, 0, (fact(),)))
    assert log.append([Append(origin=origin(), writes=both)]) == [Stale(B)]
    assert log.stream(A) == []
    both = (Write(A, 0, (fact(),)), Write(B, 1, (fact(),)))
    (accepted,) = log.append([Append(origin=origin(), writes=both)])
    assert (accepted.stored.stream, accepted.stored.version) == (A, 1)
    assert (accepted.stored.position, accepted.stored.facts) == (3, 2)


def test_a_key_is_used_once_for_ever(log) -> None:
    meta: dict[str, Any] = {"key": "k", "actor": "ann", "command": "probe.PushJob"}
    log.append([append(A, 0, fact(), **meta)])
    (repeated,) = log.append([append(B, 0, fact(), **meta)])
    assert isinstance(repeated, Repeated)
    assert (repeated.stored.stream, repeated.stored.position) == (A, 1)
    assert log.stream(B) == []
    # A repeated key outranks a stale version: the command was done, whatever came after.
    (repeated,) = log.append([append(A, 0, fact(), **meta)])
    assert isinstance(repeated, Repeated)
    for other in ({"key": "l"}, {"actor": "bob"}, {"command": "probe.EndJob"}):
        (accepted,) = log.append([append(uuid4(), 0, fact(), **{**meta, **other})])
        assert isinstance(accepted, Accepted)


def test_one_key_twice_in_a_batch_is_refused_as_a_value(log) -> None:
    with pytest.raises(Rejected):
        log.append([append(A, 0, fact(), key="k"), append(B, 0, fact(), key="k")])
    assert log.head() == 0


def test_a_receipt_is_found_with_all_it_was_given(log) -> None:
    meta: dict[str, Any] = {
        "correlation_id": uuid4(),
        "causation_id": uuid4(),
        "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        "address": "10.0.0.1",
        "agent": "curl",
        "reason": "because “I” said so 🙂",
        "roles": "auditor,teller",
        "fingerprint": "abc",
    }
    sent = append(A, 0, fact(), **meta)
    (accepted,) = log.append([sent])
    stored = log.find(sent.origin.actor, sent.origin.command, sent.origin.key)
    assert stored == accepted.stored
    assert stored.time.utcoffset() == timedelta(0)
    for name in meta.keys() - {"traceparent"}:
        assert getattr(stored, name) == meta[name]
    (at,) = [one.at for one in log.read(0, 1)]
    assert (at.context, at.topic, at.kind) == ("probe", "probe.job.pushed", "probe.job")
    assert (at.actor, at.command_id) == ("somebody", sent.origin.command_id)
    assert (at.correlation_id, at.causation_id) == (meta["correlation_id"], meta["causation_id"])
    assert (at.traceparent, at.time) == (meta["traceparent"], stored.time)
    assert at.time.tzinfo is UTC


def test_each_receipt_of_a_batch_has_its_own_roles(log) -> None:
    given = ("teller", None, "operator,teller")
    sent = [append(id, 0, fact(), roles=roles) for id, roles in zip((A, B, C), given, strict=True)]
    log.append(sent)
    assert [stored.roles for _, stored in log.receipts(limit=10)] == list(given)


def test_a_refusal_is_kept_with_its_kind(log) -> None:
    for number, kind in enumerate(("refused", "not_found", "forbidden", "invalid")):
        sent = append(A, 0, refusal=Refusal("a_code", f"sentence {number}", kind), key=kind)
        log.append([sent])
        found = log.find("somebody", "probe.PushJob", kind)
        assert found.refusal == Refusal("a_code", f"sentence {number}", kind)
        assert (found.stream, found.version, found.position) == (A, 0, 0)


def test_a_stream_is_read_in_parts(log) -> None:
    log.append([append(A, 0, *(fact(n) for n in range(1, 6))), append(B, 0, fact())])
    versions = {
        (): [1, 2, 3, 4, 5],
        (2,): [3, 4, 5],
        (0, 2): [1, 2],
        (2, 4): [3, 4],
        (2, None, 2): [3, 4],
        (5,): [],
        (9,): [],
        (0, 0): [],
    }
    for asked, expected in versions.items():
        assert [one.at.version for one in log.stream(A, *asked)] == expected, asked


def test_the_log_is_read_in_parts_and_by_topic(log) -> None:
    topics = ["probe.job.started", "probe.job.pushed", "probe.note.kept", "probe.job.pushed"]
    log.append([append(uuid4(), 0, fact(1, topic)) for topic in topics])

    def read(after=0, limit=10, topics=(), upto=None):
        return [one.at.position for one in log.read(after, limit, topics, upto)]

    assert read() == [1, 2, 3, 4]
    assert read(after=1, limit=2) == [2, 3]
    assert read(after=1, upto=2) == [2]
    assert read(after=4) == []
    assert read(topics=["probe.job.pushed"]) == [2, 4]
    assert read(topics=["probe.job."]) == [1, 2, 4]
    assert read(topics=["probe."]) == [1, 2, 3, 4]
    assert read(topics=["probe.note.kept", "probe.job.started"]) == [1, 3]
    assert read(topics=["probe.note.", "probe.job.started"]) == [1, 3]
    assert read(topics=["probe.job."], after=1, limit=1) == [2]
    # Neither part of a word nor a pattern is a prefix.
    for nothing in ("probe.job", "probe.jo.", "probe.job.push", "*", "probe.*.", "%.", "PROBE."):
        assert read(topics=[nothing]) == [], nothing


def test_the_position_at_a_time_is_that_of_the_last_fact_by_then(log) -> None:
    log.append([append(A, 0, fact(), fact())])
    log.append([append(A, 2, fact())])
    one, two, three = [one.at.time for one in log.read(0, 3)]
    assert one == two < three
    assert log.position_at(PAST) == 0
    assert log.position_at(one - timedelta(microseconds=1)) == 0
    assert log.position_at(one) == 2
    assert log.position_at(three - timedelta(microseconds=1)) == 2
    assert log.position_at(three) == 3
    assert log.position_at(datetime.now(UTC) + timedelta(days=1)) == 3
    elsewhere = three.astimezone(datetime.now().astimezone().tzinfo)
    assert log.position_at(elsewhere) == 3


def test_receipts_are_filtered_and_numbered(log) -> None:
    correlation = uuid4()
    log.append([append(A, 0, fact(), actor="ann", correlation_id=correlation)])
    log.append([append(B, 0, refusal=Refusal("no", "no"), actor="bob")])
    both = (Write(B, 0, (fact(),)), Write(C, 0, (fact(),)))
    log.append([Append(origin=origin(actor="ann"), writes=both)])

    start = log.receipts(limit=1)[0][0] - 1

    def numbers(after=0, **filters):
        found = log.receipts(after=start + after, limit=10, **filters)
        return [number - start for number, _ in found]

    assert numbers() == [1, 2, 3]
    assert numbers(after=1) == [2, 3]
    assert [n - start for n, _ in log.receipts(limit=2)] == [1, 2]
    assert numbers(actor="ann") == [1, 3]
    assert numbers(correlation_id=correlation) == [1]
    assert numbers(resource=B) == [2, 3]
    assert numbers(resource=C) == [3], "the second stream of an append is a resource of it too"
    assert numbers(actor="ann", resource=B) == [3]
    times = [stored.time for _, stored in log.receipts(limit=10)]
    assert numbers(since=times[1]) == [2, 3]
    assert numbers(until=times[1]) == [1, 2]
    assert numbers(since=times[1], until=times[1]) == [2]
    assert numbers(since=times[2] + timedelta(seconds=1)) == []


def test_time_never_runs_backwards(log, probe, store: str) -> None:
    log.append([append(A, 0, fact())])
    future = datetime.now(UTC) + timedelta(days=400)
    text = future.isoformat(timespec="microseconds")
    table = "probe_head" if store == "sqlite" else "probe.head"
    probe.sql(f"UPDATE {table} SET time = '{text}'")
    log.append([append(A, 1, fact())])
    log.append([append(A, 2, fact())])
    times = [one.at.time for one in log.read(0, 3)]
    assert times[1] == times[2] == future
    assert [stored.time for _, stored in log.receipts(limit=3)] == times


def test_a_readers_position_moves_with_the_append(log) -> None:
    tracked = [Tracked("mirror", position) for position in (5, 7)]
    first, second = log.append(
        [append(A, 0, fact(), tracked=tracked[0]), append(A, 1, fact(), tracked=tracked[1])]
    )
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    for old in (Tracked("mirror", 6), Tracked("mirror", 7)):
        assert log.append([append(A, 2, fact(), tracked=old)]) == [Stale(None)]
    (accepted,) = log.append([append(A, 2, fact(), tracked=Tracked("mirror", 8))])
    assert isinstance(accepted, Accepted)
    assert isinstance(log.append([append(B, 0, tracked=Tracked("other", 1))])[0], Accepted)
