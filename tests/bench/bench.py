"""One run of the benchmark: its sizes, its server, its folder, what it found about the machine."""

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from rich.console import Console
from sqlalchemy import make_url

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""What the server must be set to: a fast commit that a power cut undoes is none."""
SHOWN = (*DURABLE, "server_version", "wal_sync_method", "shared_buffers", "max_wal_size")
WARM_UP_S = 1.0


class NotDurable(Exception):
    """The server may lose what it has committed; the message names the setting."""


@dataclass
class Bench:
    """What every group of figures gets."""

    server: str
    """URL of a database on the server; the benchmark makes databases of its own beside it."""
    folder: Path
    """For SQLite files and scripts; on a disk, where a sync is a sync."""
    quick: bool = False
    """Small sizes and short rounds: to try the benchmark itself, not to measure."""
    rounds: int = 3
    seconds: float = 5.0
    """How long a contender works in one round."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Sizes and settings, for the file of results."""
    # Its own stderr: log lines of what is measured are sent elsewhere by `sys.stderr`.
    console: Console = field(default_factory=lambda: Console(file=sys.stderr, highlight=False))

    @property
    def warm_up_s(self) -> float:
        """How long a contender works before it is measured."""
        return min(WARM_UP_S, self.seconds)

    def size(self, name: str, full: int, quick: int) -> int:
        """Return the size of something, and note it."""
        chosen = quick if self.quick else full
        self.note(name, chosen)
        return chosen

    def note(self, name: str, value: Any) -> None:
        """Keep a size or a setting for the file of results."""
        self.notes[name] = value

    def say(self, what: str) -> None:
        """Tell who waits what is going on."""
        self.console.print(f"  {what}", style="dim", markup=False)

    def settle(self) -> None:
        """Have what the last contender wrote written out, so that the next one does not pay."""
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the URL of a new database; it is dropped at the end."""
        name = f"aorist_bench_{uuid4().hex[:12]}"
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            url = make_url(self.server).set(database=name).render_as_string(hide_password=False)
            _require_durable(url)
            yield url
        finally:
            with psycopg.connect(self.server, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def machine(self) -> dict[str, Any]:
        """Return what the figures depend on."""
        with psycopg.connect(self.server) as connection:
            shown = {name: _show(connection, name) for name in SHOWN}
        return {
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "system": platform.platform(),
            "processor": _processor(),
            "python": f"{sys.version.split()[0]} ({sys.base_prefix})",
            "sqlite": sqlite3.sqlite_version,
            "postgres": shown,
            "packages": {name: version(name) for name in ("eventsourcing", "psycopg", "fastapi")},
        }


def _require_durable(url: str) -> None:
    with psycopg.connect(url) as connection:
        for name, wanted in DURABLE.items():
            found = _show(connection, name)
            if found != wanted:
                raise NotDurable(
                    f"PostgreSQL runs with {name} = {found}: what it commits may be lost, so its "
                    f"speed says nothing. Set it to {wanted}."
                )


def _show(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute(f"SHOW {name}".encode()).fetchone()
    return str(row[0]) if row else ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
