"""`aorist show`, `history` and `events`: what happened, and how things were."""

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening, withdrawal
from tests.cli.program import Program


@pytest.fixture
def lived(aorist: Program) -> Program:
    """A bank where Alice has 70 after three postings, and Bob has an empty account."""
    lines = [opening(ALICE), opening(BOB), deposit(1, 50), deposit(2, 40), withdrawal(3, 20)]
    aorist("run", aorist.file(*lines), "--no-follow", "--concurrency", "1")
    return aorist


def balance(program: Program, *words: str) -> int:
    return int(program("show", "banking.account", ALICE, *words).json["state"]["funds"]["balance"])


def test_an_aggregate_is_shown_now_at_a_version_and_as_of_a_time(lived: Program) -> None:
    history = lived("history", "banking.account", ALICE, "--json").json_lines
    assert balance(lived) == 70
    assert [balance(lived, "--at-version", str(version)) for version in (1, 2, 3, 4)] == [
        *(0, 50, 90, 70)
    ]
    assert balance(lived, "--as-of", history[1]["time"]) == 50
    assert balance(lived, "--as-of", "2999-01-01") == 70


def test_a_point_that_there_is_not_is_named(lived: Program) -> None:
    def said(*words: str, code: int = 1) -> str:
        return lived("show", *words, code=code).err

    assert "is at version 4, not yet at 9" in said("banking.account", ALICE, "--at-version", "9")
    assert "at that point" in said("banking.account", ALICE, "--as-of", "2000-01-01")
    assert "no aggregate is called 'banking.vault'; there are" in said("banking.vault", ALICE)
    assert "is the id of a banking.account" in said("banking.transfer", ALICE)
    assert "ID 'alice' is no UUID" in said("banking.account", "alice", code=2)
    words = ("banking.account", ALICE, "--as-of", "noon")
    assert "--as-of 'noon' is no time" in said(*words, code=2)
    assert "not both" in said(*words[:2], "--as-of", "2000-01-01", "--at-version", "1", code=2)


def test_history_is_every_fact_with_its_envelope(lived: Program) -> None:
    found = lived("history", "banking.account", ALICE, "--json").json_lines
    assert [one["version"] for one in found] == [1, 2, 3, 4]
    assert [one["topic"].rpartition(".")[2] for one in found] == [
        *("opened", "money_deposited", "money_deposited", "money_withdrawn")
    ]
    assert found[1]["data"]["amount"] == 50
    assert found[1]["actor"] == "aorist"
    table = lived("history", "banking.account", ALICE).out.splitlines()
    assert table[0].split()[:4] == ["position", "time", "version", "topic"]
    assert len(table) == 5
    err = lived("history", "banking.transfer", ALICE, code=1).err
    assert "is the id of a banking.account" in err


def test_events_are_filtered_by_topic_stream_and_position(lived: Program) -> None:
    def positions(*words: object) -> list[int]:
        found = lived("events", "--context", "banking", *words, "--json").json_lines
        return [one["position"] for one in found]

    everything = positions()
    assert everything == list(range(1, len(everything) + 1))
    deposited = positions("--topic", "banking.account.money_deposited")
    accounts = positions("--topic", "banking.account.")
    assert len(deposited) == 2
    assert len(accounts) == 5
    assert positions("--stream", ALICE) == [p for p in accounts if p != 3]
    assert positions("--after", deposited[0], "--topic", "banking.account.") == [
        p for p in accounts if p > deposited[0]
    ]
    assert positions("--after", everything[-1]) == []
    assert positions("--limit", 3) == [1, 2, 3]
    assert lived("events").out.count("\n") == len(everything)
    assert "there are banking, commerce" in lived("events", "--context", "sport", code=1).err
    assert "name it with --context" in lived("events", "--after", "3", code=2).err
