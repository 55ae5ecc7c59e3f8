"""`aorist schemas` in a checkout of its own, whose facts change."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.discovery import discover
from tests.cli.program import Program
from tests.library_programs import COMMANDS
from tests.source import CONTEXTS, ROOT
from tests.test_adding_a_context import house_in

BOOK = "domain/library/book.py"
FURTHER = 2
"""Facts of the further context."""
LENT = "    reader: UUID\n"


class House:
    """A checkout with a further context, whose schemas are generated and committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = house_in(folder)
        shutil.copytree(ROOT / "schemas", self.folder / "schemas")
        self._program = subprocess.Popen(
            [sys.executable, "-c", COMMANDS],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.aorist("generate")
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Begin")

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(["git", *who, *words], cwd=self.folder, check=True)

    def aorist(self, *words: str, code: int = 0) -> str:
        assert self._program.stdin
        assert self._program.stdout
        print(json.dumps(["schemas", *words]), file=self._program.stdin, flush=True)
        ended, said = json.loads(self._program.stdout.readline())
        assert ended == code, said
        return str(said)

    def close(self) -> None:
        with self._program:  # closes its input, at which it ends
            pass

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def versions(self) -> list[dict[str, object]]:
        path = self.folder / "schemas/library/book.versions.jsonl"
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return [line for line in lines if line["subject"] == "library.book.lent"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("schemas"))
    yield made
    made.close()


@pytest.fixture
def house(begun: House) -> House:
    begun.git("reset", "--quiet", "--hard")
    begun.git("clean", "--quiet", "--force", "-d")
    return begun


def test_a_new_context_gets_its_schemas_by_a_command(house: House) -> None:
    facts = len(discover().facts) + FURTHER
    assert f" of {facts} facts hold" in house.aorist("check", "--against", "HEAD")
    assert len(house.versions()) == 1


def test_a_field_with_a_default_is_a_further_version_and_a_sentence_about_it_is_none(
    house: House,
) -> None:
    house.change(BOOK, LENT, f'{LENT}    remark: str = ""\n')
    assert "wrote schemas/library/book.avsc" in house.aorist("generate")
    first, second = house.versions()
    assert (first["version"], second["version"]) == (1, 2)

    house.change(BOOK, 'remark: str = ""\n', 'remark: str = ""\n    """Said by the reader."""\n')
    told = house.aorist("check", code=1)
    assert "library/book.avsc differs from the fact classes; run `aorist schemas gen" in told
    assert house.aorist("generate").split() == ["wrote", "schemas/library/book.avsc"]
    assert house.versions() == [first, second]


def test_a_field_without_a_default_is_refused_and_nothing_is_written(house: House) -> None:
    house.change(BOOK, LENT, f"{LENT}    remark: str\n")
    told = house.aorist("generate", code=1)
    assert "library.book.lent: version 2 cannot read what version 1 wrote" in told
    assert "Instead: give a new field a default, or add a fact with a new topic" in told
    assert len(house.versions()) == 1


def test_a_version_that_was_committed_is_not_taken_back(house: House) -> None:
    house.change(BOOK, LENT, f'{LENT}    remark: str = ""\n')
    (house.folder / "schemas/library/book.versions.jsonl").unlink()
    house.aorist("generate")
    told = house.aorist("check", "--against", "HEAD", code=1)
    assert "library.book.lent 1 (id " in told
    assert "was committed and is gone; restore its line" in told


def test_wrong_use_says_so(embedded: Program) -> None:
    assert "--against is for check" in embedded("schemas", "generate", "--against=HEAD", code=2).err
    if (ROOT / ".git").exists():
        told = embedded("schemas", "check", "--against", "no-such-revision", code=1).err
        assert "git ls-tree" in told


def test_the_asyncapi_document_has_every_context(embedded: Program) -> None:
    document = embedded("schemas", "asyncapi").json
    assert document["channels"].keys() == set(CONTEXTS)
