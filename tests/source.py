"""The source of this project, as the tests of its own rules read it."""

import ast
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = ("domain", "commands", "sagas", "projections", "infra", "api")
CONTEXTS = frozenset(folder.parent.name for folder in ROOT.glob("domain/*/__init__.py"))
COMPILED_NOW = shutil.ignore_patterns("*.pyc.*")
"""What a copy of the source leaves out: files that are being compiled come and go."""


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below the folders, all of them by default."""
    return sorted(
        path for folder in folders or (*LAYERS, "tests") for path in (ROOT / folder).rglob("*.py")
    )


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield the first word of each import."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def expect_none(problems: Iterable[str], instead: str) -> None:
    found = sorted(set(problems))
    assert not found, "\n".join(["", *found, f"Instead: {instead}"])
