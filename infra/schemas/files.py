"""The files of `schemas/`: what they should say for the code, and whether they do."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from domain import Event
from infra.schemas.compatible import differences
from infra.schemas.examples import examples_of
from infra.schemas.records import record_of, without_docs
from infra.schemas.versions import (
    FOLDER,
    SUFFIX,
    Broken,
    Version,
    Versions,
    committed,
    id_of,
    path_of,
    text_of,
)

CURRENT = ".avsc"
NEW = "run `aorist schemas generate` and commit what it writes"


def generated(facts: Mapping[str, type[Event]], folder: Path = FOLDER) -> dict[Path, str]:
    """Return what each file should say, by path.

    A fact whose schema changed gets a further version behind those that are committed. Raises
    `Broken` for a change by which facts of an earlier version could not be read any more, or
    whose readers could not read the new ones, and `Inexpressible`.
    """
    versions = committed(folder)
    texts: dict[Path, str] = {}
    current: dict[Path, list[object]] = {}
    for topic, fact in sorted(facts.items()):
        record = record_of(fact)
        current.setdefault(path_of(folder, topic, CURRENT), []).append(record)
        lines = [*versions.by_subject.get(topic, ())]
        schema = without_docs(record)
        if not lines or lines[-1].text != text_of(schema):
            lines.append(
                Version(topic, len(lines) + 1, id_of(schema), schema, examples_of(fact, schema))
            )
            require_compatible(lines)
        path = path_of(folder, topic)
        texts[path] = texts.get(path, "") + "".join(map(_line, lines))
    for topic in versions.by_subject.keys() - facts.keys():
        raise Broken(f"{topic} is committed and no fact class has that topic; logs hold such facts")
    for path, records in current.items():
        texts[path] = json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    return texts


def _line(version: Version) -> str:
    return msgspec.json.encode(version).decode() + "\n"


def require_compatible(versions: Iterable[Version]) -> None:
    """Raise `Broken` unless every version of a subject reads every other one."""
    *earlier, newest = versions
    found = [line for one in earlier for line in differences(one, newest)]
    if found:
        remedy = "Instead: give a new field a default, or add a fact with a new topic"
        raise Broken("\n".join([*found, remedy]))


def write(texts: Mapping[Path, str]) -> list[Path]:
    """Write the files that say something else; return their paths."""
    changed = [path for path, text in texts.items() if _text(path) != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8")
    return changed


def outdated(facts: Mapping[str, type[Event]], folder: Path = FOLDER) -> Iterator[str]:
    """Yield a sentence for each file that is not what the code makes. Raises as `generated`."""
    texts = generated(facts, folder)
    for path, text in texts.items():
        if _text(path) != text:
            yield f"{path.relative_to(folder)} differs from the fact classes; {NEW}"
    for path in [*folder.glob(f"*/*{CURRENT}"), *folder.glob(f"*/*{SUFFIX}")]:
        if path not in texts:
            yield f"{path.relative_to(folder)} is of no fact class; delete it"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def taken_back(before: Versions, now: Versions) -> Iterator[str]:
    """Yield a sentence for each version that was committed and is no longer there as it was."""
    for one in before:
        kept = now.by_id.get(one.id)
        if kept is None or _line(kept) != _line(one):
            yield (
                f"{one.subject} {one.version} (id {one.id}) was committed and is "
                f"{'changed' if kept else 'gone'}; restore its line"
            )
