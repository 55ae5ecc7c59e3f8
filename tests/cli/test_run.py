"""`aorist run`: every line once, in order where it matters, and the broken one named."""

import json
import time

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening, transfer, withdrawal
from tests.cli.program import Line, Program

MAX_WAIT_S = 30.0
LOOK_EVERY_S = 0.01
KILLED_AFTER = 400
"""Commands in the log when the process is killed."""


def balance(aorist: Program, account: str = ALICE) -> int:
    state = aorist("show", "banking.account", account).json["state"]
    return int(state["funds"]["balance"])


def receipts(aorist: Program) -> int:
    return int(aorist.sql("SELECT count(*) FROM banking.receipts")[0][0])


def test_lines_are_carried_out_and_the_read_models_follow(aorist: Program) -> None:
    id = "7a000000-0000-4000-8000-000000000001"
    file = aorist.file(opening(ALICE), opening(BOB), deposit(1, 500), transfer(id, 120))
    done = aorist("run", file)
    assert "4 lines: 4 accepted, 0 repeated, 0 refused" in done.out
    rows = aorist.sql("SELECT balance FROM banking.accounts ORDER BY balance")
    assert [balance for (balance,) in rows] == [120, 380]


def test_lines_of_one_id_are_decided_in_file_order(aorist: Program) -> None:
    lines: list[Line] = [opening(ALICE)]
    for number in range(1, 60):
        lines += [deposit(number, number), withdrawal(number, number)]
    done = aorist("run", aorist.file(*lines), "--json", "--no-follow").json
    assert (done["accepted"], done["refused"]) == (len(lines), 0)
    assert balance(aorist) == 0


def test_refusals_are_counted_by_code_with_the_first_lines(embedded: Program) -> None:
    lines = [opening(ALICE), *(withdrawal(number, 5) for number in range(7))]
    done = embedded("run", embedded.file(*lines))
    assert "8 lines: 1 accepted, 0 repeated, 7 refused" in done.out
    assert "7 refused with insufficient_funds: lines 2, 3, 4, 5, 6, …" in done.out


def test_a_file_that_is_run_again_changes_nothing(aorist: Program) -> None:
    file = aorist.file(
        opening(ALICE), deposit(1), deposit(2, key="k"), deposit(3, id="n"), withdrawal(1, 10**6)
    )
    first = aorist("run", file, "--json").json
    again = aorist("run", file, "--json").json
    assert (first["accepted"], first["repeated"], first["refused"]) == (4, 0, 1)
    assert (again["accepted"], again["repeated"], again["refused"]) == (0, 4, 1)
    assert balance(aorist) == 300
    assert receipts(aorist) == 5


def test_without_a_key_the_line_number_and_text_make_one(embedded: Program) -> None:
    same = deposit(1)
    embedded("run", embedded.file(opening(ALICE), same))
    done = embedded("run", embedded.file(opening(ALICE), same, same), "--json").json
    assert (done["repeated"], done["accepted"]) == (2, 1), "an added line is a new command"
    assert balance(embedded) == 100, "and the same deposit is brought in once"


def test_two_lines_with_one_key_at_once_have_one_effect(embedded: Program) -> None:
    lines = [opening(ALICE), *[deposit(1, key="same")] * 5]
    done = embedded("run", embedded.file(*lines), "--json").json
    assert (done["accepted"], done["repeated"]) == (2, 4)


def test_a_key_used_for_another_command_stops_the_run(embedded: Program) -> None:
    file = embedded.file(opening(ALICE), deposit(1, key="k"), deposit(2, key="k"))
    done = embedded("run", file, code=1)
    assert "line 3: the key 'k' was used for another banking.DepositMoney" in done.err


def test_a_killed_run_is_finished_by_running_it_again(aorist: Program) -> None:
    lines = [opening(ALICE), opening(BOB)]
    lines += [deposit(number, number, ALICE if number % 3 else BOB) for number in range(1, 1500)]
    file = aorist.file(*lines)
    process = aorist.start("run", file, "--concurrency", "40")
    until = time.monotonic() + MAX_WAIT_S
    while receipts(aorist) < KILLED_AFTER and process.is_alive():
        assert time.monotonic() < until
        time.sleep(LOOK_EVERY_S)
    process.kill()
    process.join()
    before = receipts(aorist)
    assert before < len(lines), "it was killed in the middle"
    done = aorist("run", file, "--json").json
    assert done["repeated"] == before
    assert done["accepted"] == len(lines) - before
    assert balance(aorist) + balance(aorist, BOB) == sum(range(1, 1500))
    assert receipts(aorist) == len(lines)
    assert "everything holds" in aorist("check", "--context", "banking").out


BROKEN: dict[str, tuple[str | bytes | Line, str]] = {
    "no JSON": ('{"command": ', "line 3: it is not JSON"),
    "no object": ("[1, 2]", "line 3: Expected `object`, got `array`"),
    "not UTF-8": (b'{"command": "\xff"}', "line 3: it is not UTF-8: byte 14 is 0xff"),
    "unknown command": ({"command": "RobBank"}, "line 3: no command is called 'RobBank'"),
    "unknown member": ({**deposit(9), "when": 1}, "line 3: Object contains unknown field `when`"),
    "unknown field": (
        {"command": "CloseAccount", "fields": {"account_id": ALICE, "why": 1}},
        "line 3: CloseAccount: why: Unexpected keyword argument, got 1",
    ),
    "missing field": ({"command": "CloseAccount"}, "line 3: CloseAccount: account_id is missing"),
    "negative amount": (deposit(9, -5), "line 3: DepositMoney: amount: Input should be greater"),
    "huge number": (deposit(9, 10**40), "line 3: DepositMoney: amount: Input should be less than"),
    "wrong type": (
        {**deposit(9), "fields": "all"},
        "line 3: DepositMoney: : Input should be",
    ),
    "empty key": ({**deposit(9), "key": ""}, "line 3: key must be 1 to 255 printable characters"),
    "a process's name": ({**deposit(9), "actor": "saga:x.y"}, "line 3: actor 'saga:x.y' is a"),
    "long line": (" " * 1_000_001 + "{}", "line 3: it is longer than 1000000 bytes"),
    "deep nesting": ("[" * 100_000, "line 3: "),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_named_and_nothing_after_it_starts(embedded: Program, kind: str) -> None:
    broken, problem = BROKEN[kind]
    file = embedded.file(opening(ALICE), deposit(1), broken, deposit(2))
    done = embedded("run", file, code=1)
    assert problem in done.err, done.err
    assert "what is done stays done" in done.err
    assert "2 lines: 2 accepted" in done.out
    assert embedded.sql("SELECT count(*) FROM banking.receipts") == [(2,)]


def test_a_mended_file_goes_on_where_it_broke(aorist: Program) -> None:
    aorist("run", aorist.file(opening(ALICE), deposit(1), "{", deposit(2)), code=1)
    mended = aorist.file(opening(ALICE), deposit(1), deposit(3), deposit(2))
    done = aorist("run", mended, "--json").json
    assert (done["repeated"], done["accepted"]) == (2, 2)
    assert balance(aorist) == 300


def test_standard_input_is_a_file_too_and_empty_lines_are_passed_over(embedded: Program) -> None:
    lines = [json.dumps(line) for line in (opening(ALICE), deposit(1))]
    done = embedded("run", "-", stdin="\n\n".join(lines).encode())
    assert "2 lines: 2 accepted" in done.out
    assert embedded("run", "-", stdin=b"").out.startswith("0 lines")


def test_a_file_that_is_not_there_is_named(embedded: Program) -> None:
    assert "cannot read nowhere.jsonl: No such file" in embedded("run", "nowhere.jsonl", code=2).err


def test_lines_say_who_and_why(embedded: Program) -> None:
    file = embedded.file(opening(ALICE, actor="teller", reason="new customer"), deposit(1))
    embedded("run", file, "--actor", "night-shift")
    first, second = embedded("audit", "--context", "banking", "--format", "json").json
    assert (first["actor"], first["reason"]) == ("teller", "new customer")
    assert second["actor"] == "night-shift"


def test_progress_is_written_as_json_lines_without_a_terminal(embedded: Program) -> None:
    done = embedded("run", embedded.file(opening(ALICE), deposit(1)))
    progress = json.loads(done.err.splitlines()[0])
    assert progress["lines"] == 2
    assert progress["refused"] == 0


def test_a_reader_that_cannot_go_on_is_named(embedded: Program) -> None:
    embedded("run", embedded.file(opening(ALICE)))
    embedded.sql("UPDATE banking.events SET data = '{}' WHERE position = 1")
    embedded.sql("DELETE FROM banking.readers")
    done = embedded("run", embedded.file(deposit(1, account=BOB)), code=1)
    assert "stopped after position 0: CorruptFact: banking log, position 1" in done.err
