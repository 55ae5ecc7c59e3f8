"""`aorist demo`: a system full of real commands, the same however often it is run."""

import re
import shlex

from tests.cli.program import Program

PLACE = "01900000-0000-7000-8000-000000000"


def test_the_demo_has_what_it_promises_and_changes_nothing_when_repeated(aorist: Program) -> None:
    said = aorist("demo").out
    assert "1-begin.jsonl: 32 lines: 32 accepted, 0 repeated, 0 refused" in said
    assert "2-go-on.jsonl: 7 lines: 4 accepted, 0 repeated, 3 refused" in said

    def status(kind: str, number: int) -> str:
        return str(aorist("show", kind, f"{PLACE}{number}").json["state"]["status"])

    orders = [status("commerce.order", number) for number in (501, 502, 503, 504)]
    assert orders == ["delivered", "cancelled", "paid", "cancelled"]
    transfers = [status("banking.transfer", number) for number in (301, 302, 303)]
    assert transfers == ["completed", "failed", "waiting"]

    again = aorist("demo").out
    assert "1-begin.jsonl: 32 lines: 0 accepted, 32 repeated, 0 refused" in again
    assert "2-go-on.jsonl: 7 lines: 0 accepted, 4 repeated, 3 refused" in again

    tries = re.findall(r"^  aorist (.*?)(?:  .*)?$", said, re.MULTILINE)
    assert len(tries) == 5
    for line in tries:
        assert aorist(*shlex.split(line)).out, "what it says to try works"
