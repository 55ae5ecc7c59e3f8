"""What is committed in `schemas/`: it is that of the code, and all of it can be read for ever."""

import json
import subprocess

import msgspec
import pytest

from infra.discovery import discover
from infra.log.codec import Codec
from infra.schemas.binary import Reader, Writer
from infra.schemas.compatible import differences
from infra.schemas.files import outdated, taken_back
from infra.schemas.records import record_of
from infra.schemas.versions import SUFFIX, Broken, Version, Versions, committed, id_of, parsed
from tests.source import ROOT, expect_none

FACTS = discover().facts
COMMITTED = committed()


def test_the_committed_schemas_are_those_of_the_facts() -> None:
    expect_none(outdated(FACTS), "run `aorist schemas generate` and commit what it writes.")


def test_no_line_that_was_ever_committed_is_gone() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    told = subprocess.run(
        ["git", "log", "--patch", "--unified=0", "--format=", "--", f"schemas/**/*{SUFFIX}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    ever = {line[1:] for line in told.stdout.splitlines() if line.startswith(("-{", "+{"))}
    now = {
        line
        for path in ROOT.glob(f"schemas/*/*{SUFFIX}")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    expect_none(ever - now, "restore the line; a change of a fact is a further version.")


@pytest.mark.parametrize("version", [*COMMITTED], ids=lambda one: f"{one.subject}-{one.version}")
def test_a_fact_of_any_version_is_read_as_it_was_written(version: Version) -> None:
    fact, codec = FACTS[version.subject], Codec(FACTS)
    read = Reader(fact, version.schema, record_of(fact))
    assert version.examples
    for example in version.examples:
        in_log = codec.decode_as[version.subject](bytes(example.json))
        assert read(example.avro) == in_log
        if version is COMMITTED.latest(version.subject):
            assert Writer(version.schema)(in_log) == example.avro
            assert msgspec.json.decode(codec.encode(in_log).data) == json.loads(bytes(example.json))


@pytest.mark.parametrize("subject", COMMITTED.by_subject)
def test_all_versions_of_a_fact_read_each_other(subject: str) -> None:
    versions = COMMITTED.by_subject[subject]
    expect_none(
        (line for one in versions for other in versions for line in differences(one, other)),
        "give a new field a default, or add a fact with a new topic.",
    )


def line(**changes: object) -> str:
    schema = {"type": "record", "name": "done", "namespace": "tests.thing", "fields": []}
    version = {"subject": "tests.thing.done", "version": 1, "id": id_of(schema), "schema": schema}
    return json.dumps(version | changes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line(version=2), "has version 2 after 0; restore"),
        (line(id=5), "is not the schema that got the id 5; restore"),
        (line() + "\n" + line(version=2), "share the id"),
        (line(subject=5), "thing.versions.jsonl, line 1: Expected `str`"),
        ("{", "thing.versions.jsonl, line 1: "),
    ],
)
def test_committed_lines_that_contradict_themselves_are_refused(text: str, said: str) -> None:
    with pytest.raises(Broken, match=said):
        parsed({"thing.versions.jsonl": text})


def test_an_example_that_was_committed_is_not_changed() -> None:
    changed = [
        msgspec.structs.replace(one, examples=()) if number == 0 else one
        for number, one in enumerate(COMMITTED)
    ]
    (told,) = taken_back(COMMITTED, Versions(changed))
    assert "was committed and is changed; restore its line" in told


def test_a_fact_class_that_is_gone_is_missed() -> None:
    topic, *others = FACTS
    with pytest.raises(Broken, match=f"{topic} is committed and no fact class has that topic"):
        list(outdated({other: FACTS[other] for other in others}))
