"""Runs the real program on a store, in this process or in one of its own."""

import json
import os
import re
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg
from typer.testing import CliRunner

from api.cli import main, program
from tests.log.crew import processes

Line = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as one JSON value."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Program:
    """`aorist` on one store."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder

    def __call__(
        self,
        *words: object,
        code: int = 0,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a verb in this process; it must end with `code`."""
        given = ["--database-url", self.url, *map(str, words)]
        done = CliRunner().invoke(
            program(), given, input=stdin, env={"AORIST_READER_POLL_MS": "20", **(env or {})}
        )
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, f"{done.exit_code}: {done.stdout}{done.stderr}"
        return Ended(done.exit_code, done.stdout, done.stderr)

    def start(self, *words: object) -> BaseProcess:
        """Run a verb in a process of its own."""
        given = ["--database-url", self.url, *map(str, words)]
        env = {**os.environ, "AORIST_READER_POLL_MS": "20"}
        started = processes.Process(target=_run, args=(given, env), daemon=True)
        started.start()
        return started

    def file(self, *lines: Line | str | bytes) -> Path:
        """Write a file of commands; text and bytes go in as they are."""
        path = self._folder / "commands.jsonl"
        path.write_bytes(b"".join(_written(line) + b"\n" for line in lines))
        return path

    def sql(self, statement: str) -> list[Sequence[Any]]:
        """Run a statement on the store; `banking.accounts` is named as in PostgreSQL."""
        if self.url.startswith("sqlite:///"):
            plain = re.sub(r"\b(banking|commerce|identity|social)\.(?=\w)", r"\1_", statement)
            with sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=30) as connection:
                found = connection.execute(plain).fetchall()
            connection.close()
            return found
        with psycopg.connect(self.url) as postgres:
            cursor = postgres.execute(statement.encode())
            return list(cursor.fetchall()) if cursor.description else []


def _run(words: list[str], env: dict[str, str]) -> None:
    """Be the program: it says nothing, and its settings are those of `env`."""
    os.environ.clear()
    os.environ.update(env)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    sys.argv = ["aorist", *words]
    main()


def _written(line: Line | str | bytes) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line)).encode()
