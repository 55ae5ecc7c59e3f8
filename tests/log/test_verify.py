"""What other tests rest on to say that a log is sound can fail."""

import pytest

from tests.log.appends import store_of
from tests.log.load import Errand, jobs, send, start_jobs
from tests.log.verify import violations
from tests.probe.job import PushJob
from tests.scenario import Scenario

PUSHED = '{"number":%d,"note":"%s"}'
DAMAGE = {
    "the head is": "DELETE FROM probe.events WHERE position = 2",
    "time runs backwards": "UPDATE probe.events SET time = '1999-01-01 00:00:00+00:00'"
    " WHERE position = 3",
    "version 9, not": "UPDATE probe.events SET version = 9 WHERE position = 4",
    "an older state": f"UPDATE probe.events SET data = '{PUSHED % (7, 'k')}' WHERE position = 4",
    "are another one's": f"UPDATE probe.events SET data = '{PUSHED % (2, 'l')}' WHERE position = 4",
    "other facts than there are": "UPDATE probe.receipts SET position = 3 WHERE key = 'k'",
    "it was refused and has facts": "UPDATE probe.receipts SET refusal_code = 'no' WHERE key = 'k'",
    "is in no receipt": "DELETE FROM probe.receipts WHERE key = 'k'",
    "have facts and no receipt": "DELETE FROM probe.receipts WHERE key = 'k'",
    "but it is (": "UPDATE probe.receipts SET version = 2 WHERE key = 'k'",
}


@pytest.mark.parametrize("found", DAMAGE)
def test_what_is_wrong_with_a_log_is_found(probe: Scenario, store: str, found: str) -> None:
    """The check that these tests rest on can fail."""
    probe.run(start_jobs(probe.system, 2))
    push = PushJob(job_id=jobs(2)[0], note="k")
    probe.run(send(probe.system, Errand("j", PushJob(job_id=jobs(2)[0], note="j"), None)))
    told = [probe.run(send(probe.system, Errand("k", push, None)))]
    assert probe.run(violations(store_of(probe), told)) == []
    probe.sql(DAMAGE[found].replace("probe.", "probe_" if store == "sqlite" else "probe."))
    assert any(found in one for one in probe.run(violations(store_of(probe), told)))


@pytest.mark.parametrize(
    ("result", "wrong"),
    [("refused", "was accepted"), ("conflicted", "has a receipt")],
)
def test_who_was_told_wrong_is_found(probe: Scenario, result: str, wrong: str) -> None:
    probe.run(start_jobs(probe.system, 1))
    told = probe.run(send(probe.system, Errand("k", PushJob(job_id=jobs(1)[0], note="k"), None)))
    (found,) = probe.run(violations(store_of(probe), [told._replace(result=result)]))
    assert found.endswith(wrong)
