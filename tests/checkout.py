"""A bare checkout that starts services of its own, apart from this one's."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.services import postgres
from infra.services._brokers import jars_folder
from infra.services._system import ROOT_FOLDER
from tests.source import ROOT


class Checkout:
    """A bare checkout with the service scripts in it, on a machine whose `docker` is `docker`."""

    def __init__(self, folder: Path, docker: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "infra/services", folder / "infra/services")
        (folder / "infra/__init__.py").touch()
        (folder / "bin").mkdir()
        (folder / "bin/docker").write_text(f"#!/bin/sh\n{docker}\n")
        (folder / "bin/docker").chmod(0o755)
        (folder / ".services").mkdir()
        if jars_folder().exists():  # fetched once for all checkouts of a test run
            (folder / ".services" / jars_folder().name).symlink_to(jars_folder())

    def services(self, verb: str, *names: str) -> str:
        """Start or stop the services named, or all; return what that says."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.services", verb, *names],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def url(self, name: str = "AORIST_DATABASE_URL") -> str:
        lines = (self.folder / ".services/env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)[name]


NO_PROGRAMS = "make services uses containers here: no PostgreSQL is installed"


@contextmanager
def bare_checkout(folder: Path) -> Iterator[Checkout]:
    """Yield a checkout whose services run without containers; remove all of it at the end."""
    checkout = Checkout(folder, docker="exit 1")
    try:
        yield checkout
    finally:
        checkout.services("stop")
        for name in ("postgres", "redis"):
            home = (folder / ".services" / name).resolve()
            if home.is_relative_to(ROOT_FOLDER):
                shutil.rmtree(home.parent, ignore_errors=True)


def bare_checkout_or_skip(folder: Path) -> Iterator[Checkout]:
    """A fixture: a bare checkout, on a machine where PostgreSQL runs without containers."""
    if not postgres.programs():
        pytest.skip(NO_PROGRAMS)
    with bare_checkout(folder) as checkout:
        yield checkout
