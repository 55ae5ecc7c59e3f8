"""`aorist keys`: made and listed."""

from pathlib import Path

from tests.cli.program import Program


def test_keys_are_made_and_listed(embedded: Program, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    env = {"AORIST_KEYS_FOLDER": str(folder)}
    assert embedded("keys", env=env).out == ""
    first = embedded("keys", "--new", env=env).out.split()[0]
    listed = embedded("keys", "--new", env=env).out.splitlines()
    assert [line.split()[0] for line in listed] == [first, listed[1].split()[0]]
    (folder / f"{first}.pem").write_text("no key")
    assert "cannot be read as a key" in embedded("keys", env=env, code=1).err
