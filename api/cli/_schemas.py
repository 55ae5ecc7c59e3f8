"""What `aorist schemas` does."""

import subprocess
from pathlib import PurePosixPath

import msgspec
import typer

from api.cli._program import FAILED, fail, out
from infra.discovery import discover
from infra.schemas.asyncapi import document
from infra.schemas.compatible import differences
from infra.schemas.files import generated, outdated, taken_back, write
from infra.schemas.records import Inexpressible
from infra.schemas.versions import FOLDER, SUFFIX, Broken, Versions, committed, parsed


def done(action: str, against: str | None) -> None:
    """Do one of the actions, or exit with a sentence."""
    try:
        match action:
            case "generate":
                _generate()
            case "check":
                _check(against)
            case "asyncapi":
                told = msgspec.json.encode(document(committed()))
                out.out(msgspec.json.format(told, indent=2).decode())
    except (Broken, Inexpressible) as wrong:
        fail(str(wrong))


def _generate() -> None:
    for path in write(generated(discover().facts)):
        out.print(f"wrote schemas/{path.relative_to(FOLDER)}", markup=False)


def _check(against: str | None) -> None:
    problems = list(outdated(discover().facts))
    now = committed()
    if against:
        before = _at(against)
        problems += taken_back(before, now)
        problems += [
            line
            for subject, earlier in before.by_subject.items()
            for one in earlier
            for new in now.by_subject.get(subject, ())
            if new.version > one.version
            for line in differences(one, new)
        ]
    for problem in problems:
        out.print(problem, markup=False)
    if problems:
        raise typer.Exit(FAILED)
    out.print(f"{len(now.by_id)} schemas of {len(now.by_subject)} facts hold")


def _at(revision: str) -> Versions:
    """Return the versions that were committed in a revision. Raises `Broken`."""
    listed = _git("ls-tree", "-r", "--name-only", revision, "--", ".").splitlines()
    names = [name for name in listed if name.endswith(SUFFIX)]
    return parsed({str(PurePosixPath(n)): _git("show", f"{revision}:./{n}") for n in names})


def _git(*words: str) -> str:
    done = subprocess.run(  # nosec B603, B607 # noqa: S603 - git, and words of ours
        ["git", *words],  # noqa: S607
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Broken(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout
