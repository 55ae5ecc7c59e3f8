"""What a log takes and gives back: any value that can be stored, byte for byte."""

from typing import Any
from uuid import UUID

import pytest
import structlog

from infra.log.codec import Codec
from infra.log.port import CorruptFact, Encoded, Rejected
from tests.log.appends import A, B, append, fact
from tests.probe.features import FEATURES
from tests.probe.job import PushJob, StartJob
from tests.scenario import TELLER


def test_opaque_bytes_come_back_as_they_were(log) -> None:
    sealed = Encoded("probe.job.pushed", bytes(range(256)), is_json=False)
    log.append([append(A, 0, sealed, fact())])
    assert [one.data for one in log.stream(A)] == [bytes(range(256)), b'{"number":1}']


def test_json_comes_back_byte_for_byte(log) -> None:
    written = '{ "z": 1,\t"a": "é \\u0000 🙂", "z": 1.10 }'.encode()
    log.append([append(A, 0, Encoded("probe.job.pushed", written))])
    assert log.stream(A)[0].data == written


def test_a_text_comes_back_as_it_was(log) -> None:
    odd = 'é 𝄞 " \\ \\u0000 \u0001 \n \u2028 ["x"]'
    log.append([append(A, 0, fact(), reason=odd, agent='["x"]', key=odd, actor="null")])
    ((_, stored),) = log.receipts(limit=1)
    assert (stored.reason, stored.agent, stored.key, stored.actor) == (odd, '["x"]', odd, "null")
    assert log.stream(A)[0].at.actor == "null"


NOT_STORED = {
    "a NUL in the actor": {"actor": "a\x00b"},
    "a NUL in the key": {"key": "a\x00b"},
    "a NUL in the reason": {"reason": "a\x00b"},
    "half a surrogate pair": {"reason": "\ud800"},
    "half a surrogate pair in the key": {"key": "\udfff"},
}


@pytest.mark.parametrize("meta", NOT_STORED.values(), ids=NOT_STORED)
def test_a_value_that_cannot_be_stored_is_rejected(log, meta: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        log.append([append(A, 0, fact()), append(B, 0, fact(), **meta)])
    assert log.head() == 0
    assert log.receipts(limit=10) == []


@pytest.mark.parametrize("data", [b"no json", b'"\xff"', b"", b'{"a":1', b"{}\x00"])
def test_what_is_no_json_is_rejected(log, data: bytes) -> None:
    with pytest.raises(Rejected):
        log.append([append(A, 0, Encoded("probe.job.pushed", data))])
    assert log.head() == 0


def test_values_asked_for_may_be_anything(log) -> None:
    log.append([append(A, 0, fact())])
    assert log.find("'; DROP TABLE", "x", "' OR 1=1 --") is None
    assert log.read(2**62, 10) == []
    assert log.stream(A, 2**62) == []


def test_a_fact_that_cannot_be_read_names_its_place(log, store: str, probe) -> None:
    codec = Codec(FEATURES.facts)
    log.append(
        [append(A, 0, Encoded("probe.job.pushed", b'{"number":"x"}'), fact(1, "probe.job.gone"))]
    )
    wrong, unknown = log.read(0, 2)
    with pytest.raises(CorruptFact, match=r"position 1 .*version 1.*`int`"):
        codec.decode(wrong)
    with pytest.raises(CorruptFact, match=r"position 2 .*'probe\.job\.gone'"):
        codec.decode(unknown)


def test_nothing_of_the_store_is_logged(log) -> None:
    with structlog.testing.capture_logs() as lines:
        log.append([append(A, 0, fact())])
    assert lines == []


def test_ids_are_ids_whatever_their_value(log) -> None:
    ids = [UUID(int=0), UUID(int=2**128 - 1)]
    log.append([append(id, 0, fact()) for id in ids])
    assert [one.at.stream for one in log.read(0, 2)] == ids


def test_facts_and_receipts_are_readable_by_a_person(probe, store: str) -> None:
    note = "“Hé” 🙂"
    probe.when(StartJob(job_id=A, name="dig"), PushJob(job_id=A, note=note))
    dot = "_" if store == "sqlite" else "."
    facts = probe.sql(
        f"SELECT version, topic, data ->> 'note', actor FROM probe{dot}events WHERE topic"
        " LIKE 'probe.job.%' AND CAST(stream AS text) = '00000000-0000-0000-0000-00000000000a'"
        " ORDER BY position"
    )
    assert facts == [
        (1, "probe.job.started", None, TELLER.actor),
        (2, "probe.job.pushed", note, TELLER.actor),
    ]
    assert probe.sql(f"SELECT command, facts, position FROM probe{dot}receipts ORDER BY number")[
        :2
    ] == [("probe.StartJob", 1, 1), ("probe.PushJob", 1, 2)]
    assert probe.sql(f"SELECT position FROM probe{dot}head") == [(3,)]
