"""`aorist replay --dry-run`: other code over the real log, without any effect."""

import json
from pathlib import Path
from typing import Any

from tests.cli.candidates import PAID, change, copy, dry, lived, small
from tests.cli.program import Line, Program

__all__ = ["copy", "lived", "small"]


def part(found: Any, kind: str, name: str) -> Any:
    return next(one for one in found[kind] if one["name"] == name)


def differing(found: Any) -> dict[str, int]:
    return {
        one["name"]: one["differing"]
        for kind in ("projections", "states", "sagas", "decisions", "faults")
        for one in found[kind]
        if one["differing"]
    }


def test_the_same_code_would_do_the_same(lived: Program, copy: Path) -> None:
    found = dry(lived, copy, code_=0)
    assert found["equal"]
    assert part(found, "projections", "banking.account")["compared"] > 2
    assert part(found, "states", "banking.transfer")["compared"] == 2
    assert part(found, "sagas", "banking.transfer")["compared"] > 10
    assert part(found, "decisions", "banking.CreditAccount")["compared"] == 1
    assert found["positions"]["banking"] > 10


def test_what_changed_code_changes_is_told_apart(small: Program, copy: Path) -> None:
    """A projection, a rule and a deadline are changed, and another projection fails."""
    before = '_line("deposit", fact.deposit_id, fact.amount, fact.source)'
    after = before.replace("fact.amount", "fact.amount + 1").replace('"deposit"', '"paid in"')
    change(copy, "projections/banking/statement.py", before, after)
    barred = "        if refusal := self._barred() or self.funds.no_credit(amount, currency):\n"
    refused = "return [CreditRefused(transfer_id=transfer_id, reason='no forties')]"
    forty = f"        if amount == 40:\n            {refused}\n{barred}"
    change(copy, "domain/banking/account.py", barred, forty)
    within = "SCREENED_WITHIN = timedelta(hours=1)"
    change(copy, "sagas/banking/transfer.py", within, within.replace("1", "2"))
    match = "    match fact:\n"
    fails = "    if at.position == 5:\n        raise RuntimeError('no fives')\n"
    change(copy, "projections/banking/account.py", match, fails + match)

    found = dry(small, copy)

    (row,) = part(found, "projections", "banking.statement")["differences"]
    assert row["what"].startswith("row banking.statement_lines ")
    assert row["now"] == {"kind": "deposit", "amount": 100}
    assert row["then"] == {"kind": "paid in", "amount": 101}
    (decision,) = part(found, "decisions", "banking.CreditAccount")["differences"]
    assert [fact["topic"] for fact in decision["now"]] == ["banking.account.credited"]
    assert decision["then"][0]["fact"]["reason"] == "no forties"
    deadlines = part(found, "sagas", "banking.transfer")["differences"]
    assert {(one["now"]["after_s"], one["then"]["after_s"]) for one in deadlines} == {(3600, 7200)}
    (fault,) = found["faults"][0]["differences"]
    assert fault["what"] == "projection banking.account"
    assert (fault["now"], fault["then"]) == (None, "position 5: RuntimeError: no fives")
    assert differing(found).keys() == {
        "banking.account",
        "banking.statement",
        "banking.CreditAccount",
        "banking.transfer",
        found["faults"][0]["name"],
    }, "facts and states are what they are"


def test_a_changed_table_is_told_with_its_columns(small: Program, copy: Path) -> None:
    file = "projections/banking/statement.py"
    change(copy, file, '    money("balance"),', '    money("balance"),\n    money("fee"),')
    found = dry(small, copy, "banking.statement")
    (one,) = part(found, "projections", "banking.statement")["differences"]
    assert one["what"] == "columns of banking.statement_lines"
    assert set(one["then"]) - set(one["now"]) == {"fee"}
    assert (found["states"], found["sagas"]) == ([], []), "only what was named is looked at"


def test_a_changed_saga_sends_other_commands_and_sends_none(lived: Program, copy: Path) -> None:
    file = "sagas/banking/transfer.py"
    change(
        copy,
        file,
        "                amount=transfer.amount,\n                currency=transfer.currency,\n"
        "            )\n        case AccountCredited():",
        "                amount=transfer.amount - 1,\n                currency=transfer.currency,\n"
        "            )\n        case AccountCredited():",
    )
    settles = "yield SettleDebit(account_id=transfer.source, transfer_id=id)"
    change(copy, file, settles, "yield TimeOutTransfer(transfer_id=id)")
    found = dry(lived, copy)
    assert differing(found) == {"banking.transfer": 3, "banking.CreditAccount": 1}
    differences = part(found, "sagas", "banking.transfer")["differences"]
    named = {one["what"].split()[1]: one for one in differences}
    credit = named["banking.CreditAccount"]
    assert (credit["now"]["amount"], credit["then"]["amount"]) == (40, 39)
    assert credit["happened"] == "it was sent and accepted"
    assert PAID in credit["what"]
    assert (named["banking.SettleDebit"]["then"], named["banking.TimeOutTransfer"]["now"]) == (
        None,
        None,
    )
    assert named["banking.SettleDebit"]["happened"] == "it was sent and accepted"


def test_a_changed_evolve_changes_states_and_what_sagas_make_of_them(
    small: Program, copy: Path
) -> None:
    change(
        copy,
        "domain/banking/transfer.py",
        "                    amount=event.amount,",
        "                    amount=event.amount + 1,",
    )
    found = dry(small, copy)
    states = part(found, "states", "banking.transfer")
    assert states["differing"] == 2
    by_stream = {one["what"]: (one["now"], one["then"]) for one in states["differences"]}
    assert by_stream[f"stream {PAID}"] == ({"amount": 40}, {"amount": 41})
    sagas = part(found, "sagas", "banking.transfer")["differences"]
    assert "banking.DebitAccount" in {one["what"].split()[1] for one in sagas}


def test_a_secret_that_would_be_another_one_is_said_so_and_not_shown(
    embedded: Program, copy: Path, tmp_path: Path
) -> None:
    fields = {"username": "ada", "email": "ada@example.org", "person": {"name": "Ada"}}
    ada: Line = {"command": "RegisterUser", "fields": {**fields, "password": "a long password"}}
    cheap = {"AORIST_PASSWORD_MEMORY_KIB": "8", "AORIST_PASSWORD_PASSES": "1"}
    embedded("run", embedded.file(ada), env={**cheap, "AORIST_MAIL_FOLDER": str(tmp_path / "mail")})
    hash = "return PasswordHash(hash=hash)"
    change(copy, "domain/identity/password.py", hash, hash.replace("=hash", "=hash + '!'"))
    found = dry(embedded, copy)
    (one,) = part(found, "states", "identity.password")["differences"]
    assert one["now"].keys() == one["then"].keys() == {"hash"}
    assert one["now"] != one["then"]
    assert "argon2" not in json.dumps(found)
