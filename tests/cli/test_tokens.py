"""`aorist tokens`: issued, listed, revoked."""

from pathlib import Path

from tests.cli.program import Program


def test_a_token_is_issued_listed_and_revoked(embedded: Program, tmp_path: Path) -> None:
    env = {"AORIST_KEYS_FOLDER": str(tmp_path / "keys")}
    asked = ("tokens", "issue", "warehouse", "--scope", "receive_stock", "--actor", "ops")
    token = embedded(*asked, env=env).out.strip()
    id = token.removeprefix("aorist_").partition(".")[0]
    heading, row = embedded("tokens", "list", env=env).out.splitlines()
    assert heading.split()[:3] == ["id", "name", "scopes"]
    assert row.split()[0].replace("-", "") == id
    assert token not in row
    gone = embedded("tokens", "revoke", row.split()[0], "--reason", "replaced", env=env)
    assert "good no longer" in gone.out
    trail = embedded("audit", "--context", "identity", env=env).out
    assert "identity.RevokeServiceToken" in trail
    assert "replaced" in trail


def test_what_services_may_not_do_is_no_scope(embedded: Program) -> None:
    wrong = embedded("tokens", "issue", "warehouse", "--scope", "grant_role", code=1)
    assert "services may not call grant_role; they may" in wrong.err
    wrong = embedded("tokens", "issue", "Ware House", "--scope", "receive_stock", code=1)
    assert "name: " in wrong.err
