"""`aorist diff`: what changed in a row, which facts did it, and who sent the commands."""

import pytest

from tests.cli.bank import ALICE, BOB, deposit, opening, transfer, withdrawal
from tests.cli.program import Program

T = "7a000000-0000-4000-8000-000000000001"


@pytest.fixture
def lived(aorist: Program) -> Program:
    """Alice was paid 100 by Carol's hand, paid Bob 40, and 10 went out."""
    aorist(
        "run",
        aorist.file(opening(ALICE), opening(BOB), deposit(1, 100, actor="carol")),
        "--concurrency",
        "1",
    )
    aorist(
        "run", aorist.file(transfer(T, 40, actor=ALICE), withdrawal(2, 10)), "--concurrency", "1"
    )
    return aorist


def test_every_change_is_shown_with_its_fact_and_who_did_it(lived: Program) -> None:
    facts = lived("history", "banking.account", ALICE, "--json").json_lines
    changes = lived("diff", "accounts", "--key", ALICE, "--json").json_lines
    assert [change["position"] for change in changes] == [fact["position"] for fact in facts]
    for change, fact in zip(changes, facts, strict=True):
        for name in ("time", "topic", "actor", "correlation_id", "command_id"):
            assert change[name] == fact[name]
    assert [change["change"] for change in changes] == ["inserted"] + ["changed"] * (len(facts) - 1)
    assert changes[0]["columns"]["holder_id"] == {"from": None, "to": ALICE}
    assert changes[1]["actor"] == "carol"
    assert changes[1]["columns"]["balance"] == {"from": 0, "to": 100}
    balances = [c["columns"]["balance"] for c in changes[2:] if "balance" in c["columns"]]
    assert sorted((b["from"] - b["to"]) for b in balances) == [10, 40]


def test_a_person_reads_old_and_new_values_between_two_times(lived: Program) -> None:
    facts = lived("history", "banking.account", ALICE, "--json").json_lines
    said = lived(
        "diff",
        "banking.account",
        "--key",
        ALICE,
        "--from",
        facts[0]["time"],
        "--to",
        facts[1]["time"],
    ).out.splitlines()
    assert said[0].startswith(f"{facts[1]['position']}  ")
    assert said[0].endswith("banking.account.money_deposited  by carol")
    assert said[1] == f"  banking.accounts {ALICE} changed"
    assert said[2].startswith(f"  correlation {facts[1]['correlation_id']}, command ")
    assert [" ".join(line.split()) for line in said[3:]] == [
        *("balance 0 → 100", "available 0 → 100", "version 1 → 2")
    ]
    first = lived("diff", "accounts", "--key", ALICE, "--to", facts[0]["position"]).out
    assert f"  banking.accounts {ALICE} did not exist; inserted" in first


def test_nothing_is_said_to_be_so(lived: Program) -> None:
    nobody = "00000000-0000-4000-8000-000000000009"
    assert "there is no such row" in lived("diff", "accounts", "--key", nobody).out
    assert lived("diff", "accounts", "--key", nobody, "--json").out == ""
    last = lived("history", "banking.account", ALICE, "--json").json_lines[-1]["position"]
    same = lived("diff", "accounts", "--key", ALICE, "--from", last).out
    assert "the row is as it was" in same


def test_what_cannot_be_compared_is_told_with_what_to_do(lived: Program) -> None:
    def said(*words: object, code: int = 1) -> str:
        return lived("diff", *words, code=code).err

    names = said("holds", "--key", ALICE)
    assert "nothing with history is called 'holds'; there are banking.accounts, " in names
    assert "commerce.orders" in names
    assert "'alice' is no key of banking.accounts: its key is id (UUID)" in said(
        "accounts", "--key", "alice"
    )
    assert "is no key of" in said("accounts", "--key", f"{ALICE},{BOB}")
    assert "--from 'noon' is no time" in said("accounts", "--key", ALICE, "--from", "noon", code=2)
    assert "in the future" in said("accounts", "--key", ALICE, "--to", "2999-01-01")
    assert "position 999 is not written yet" in said("accounts", "--key", ALICE, "--to", 999)
    words = ("accounts", "--key", ALICE, "--from", 5, "--to", 2)
    assert "--from is at position 5, behind --to at 2" in said(*words, code=2)


def test_a_read_model_that_is_behind_is_compared_as_far_as_it_is(lived: Program) -> None:
    before = lived("diff", "accounts", "--key", ALICE).out
    lived("run", lived.file(deposit(9, 5)), "--no-follow")
    head = lived("events", "--context", "banking", "--json").json_lines[-1]["position"]
    assert lived("diff", "accounts", "--key", ALICE).out == before
    behind = lived("diff", "accounts", "--key", ALICE, "--to", head, code=1).err
    assert "banking.account is at position" in behind
    assert f"behind {head}; ask again in a moment" in behind


def test_lines_are_found_by_the_first_part_of_their_key(embedded: Program) -> None:
    embedded("demo")
    (order,) = embedded.sql("SELECT order_id FROM commerce.order_lines ORDER BY order_id LIMIT 1")[
        0
    ]
    lines = embedded("diff", "order_lines", "--key", order, "--json").json_lines
    both = embedded("diff", "commerce.order", "--key", order, "--json").json_lines
    assert {line["table"] for line in lines} == {"commerce.order_lines"}
    assert {line["table"] for line in both} == {"commerce.orders", "commerce.order_lines"}
    assert all(len(line["key"]) == 2 for line in lines)
    assert [change["position"] for change in both] == sorted(c["position"] for c in both)
