"""`aorist sagas`: processes are listed and shown; one is ended by hand, with a reason."""

from tests.cli.bank import ALICE, BOB, TELLER, deposit, opening, transfer
from tests.cli.program import Program

LARGE = 1_000_000
T = "7a000000-0000-4000-8000-000000000001"


def test_a_process_is_listed_shown_and_compensated(aorist: Program) -> None:
    aorist("run", aorist.file(opening(ALICE), opening(BOB), deposit(1, 2 * LARGE)))
    aorist("run", aorist.file(transfer(T, LARGE, actor=TELLER)))
    heading, line = aorist("sagas", "list").out.splitlines()
    assert heading.split()[:3] == ["saga", "id", "phase"]
    assert line.split()[:5] == ["banking.transfer", T, "waiting", str(LARGE), "EUR"]
    assert aorist("sagas", "list", "--stuck").out == "no such process\n"
    shown = aorist("sagas", "show", T).out
    assert f"at stake: {LARGE} EUR" in shown
    assert "deadline approval: " in shown
    assert "banking.PlaceTransferHold" in shown
    words = ("--reason", "it was a mistake", "--actor", "olga")
    assert "ExpireApproval: accepted" in aorist("sagas", "compensate", T, *words).out
    listed = aorist("sagas", "list", "--state", "failed").out
    assert T in listed
    assert "cannot be undone" in aorist("sagas", "compensate", T, *words, code=1).err
    assert "it has ended: failed" in aorist("sagas", "retry", T, *words).out
    [entry] = aorist("audit", "--actor", "olga", "--format", "json").json
    assert (entry["command"], entry["resource"], entry["reason"]) == (
        "banking.CompensateProcess", T, "it was a mistake",
    )  # fmt: skip


def test_what_is_not_there_is_named(embedded: Program) -> None:
    assert "no process has the id" in embedded("sagas", "show", T, code=1).err
    assert "no saga is called 'x'" in embedded("sagas", "list", "--saga", "x", code=1).err
