"""How code here is written, as far as a program can tell; each failure says what to do instead."""

import ast
from fnmatch import fnmatch

from tests.source import CONTEXTS, LAYERS, ROOT, expect_none, imports, python_files, shown, tree

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60
TOP_LEVEL = {*LAYERS, "schemas", "tests", "docs", "README.md", "pyproject.toml"}
TOP_LEVEL |= {"requirements.lock", "Makefile", "Dockerfile", "compose.yaml"}


def test_no_floats_below_infra() -> None:
    expect_none(
        (
            f"{shown(path)}:{node.lineno} uses a float"
            for path in python_files("domain", "commands", "sagas", "projections")
            for node in ast.walk(tree(path))
            if (isinstance(node, ast.Name) and node.id == "float")
            or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        ),
        "count in an integer of the smallest unit, and put the unit into the name.",
    )


def test_files_and_functions_stay_small() -> None:
    long_files = [
        f"{shown(path)} has {lines} lines, more than {MAX_FILE_LINES}"
        for path in python_files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
    ]
    long_functions = [
        f"{shown(path)}:{node.lineno} {node.name} has {lines} lines, more than {MAX_FUNCTION_LINES}"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    expect_none(long_files + long_functions, "look for the concept that has no name yet.")


def test_tests_use_no_mocks_and_no_sleeps() -> None:
    sleeps = (
        f"{shown(path)}:{node.lineno} sleeps"
        for context in CONTEXTS
        for path in python_files(f"tests/{context}")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"sleep", "time.sleep", "asyncio.sleep"}
    )
    mocks = (
        f"{shown(path)} mocks"
        for path in python_files("tests")
        if "unittest" in imports(path) and "mock" in path.read_text(encoding="utf-8")
    )
    expect_none((*sleeps, *mocks), "drive the real thing by tests/scenario.py and its clock.")


def test_nothing_else_lies_at_the_top() -> None:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    expect_none(
        (
            path.name
            for path in ROOT.iterdir()
            if not path.name.startswith(".")
            and path.name not in TOP_LEVEL
            and not any(fnmatch(path.name, pattern) for pattern in ignored)
        ),
        "put it into the layer it belongs to, docs/, tests/ or a dot-folder.",
    )
