"""The server behind `aorist serve`, and what it says when it listens."""

import os
import sys
from pathlib import Path
from socket import socket

from fastapi import FastAPI

from api.cli._program import fail, opened, out
from api.cli._renewing import renewing
from api.connections import Server
from api.http import make_app
from infra.access import USERS
from infra.settings import Settings
from infra.system import System

GRACE_S = 10
"""Seconds that open requests get at the end."""
EXAMPLE_MEMBER = "01900000-0000-7000-8000-000000000001"


async def served(settings: Settings, contexts: list[str] | None, readers: bool) -> None:
    """Serve until the process is told to end."""
    async with opened(settings, contexts) as system, renewing(system):
        app = make_app(system, follow=readers)
        server = _Server(app, system)
        await server.serve()
        if not server.started:
            fail(f"cannot listen on {settings.host}:{settings.port}; choose another --port")


class _Server(Server):
    """Prints where to go once it listens."""

    def __init__(self, app: FastAPI, system: System) -> None:
        settings = system.settings
        place = {"host": settings.host, "port": settings.port}
        super().__init__(app, settings, **place, timeout_graceful_shutdown=GRACE_S)
        self._app = app
        self._system = system

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start listening, then greet."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            page = await first_operator(self._app, self._system)
            out.print(greeting(self._system, port, page), markup=False)


async def first_operator(app: FastAPI, system: System) -> str | None:
    """Return where the first operator is appointed; None when that is done, or done elsewhere."""
    logins = system.logins
    if not logins or USERS not in system.contexts or await logins.appointed():
        return None
    # Behind the # nothing is sent to a server: no log of requests has the code.
    return f"{app.url_path_for('first_operator_page')}#{logins.code}"


def greeting(system: System, port: int, page: str | None = None) -> str:
    """Return what a person reads when the server is up."""
    settings = system.settings
    url = f"http://{settings.host}:{port}"
    places = dict.fromkeys(str(database) for database in system.databases.values())
    lines = [
        "",
        f"  Aorist serves {', '.join(system.contexts)}",
        f"  API docs   {url}/docs",
        f"  metrics    {url}/metrics",
        *(f"  data       {_path(place)}" for place in places),
    ]
    if page:
        lines.append(f"  operator   {url}{page} (makes you the first one)")
    if settings.development:
        lines += [
            "  callers    any name in the header Aorist-Actor (development)",
            "",
            "  Try:",
            *(f"    {line}" for line in examples(url)),
        ]
    return "\n".join([*lines, ""])


def examples(url: str) -> list[str]:
    """Return three commands to try."""
    return [
        f"curl {url}/api/v1/profiles -H 'Aorist-Actor: {EXAMPLE_MEMBER}'"
        ' --json \'{"name": "Ada"}\'',
        f"curl {url}/api/v1/profiles/{EXAMPLE_MEMBER} -H 'Aorist-Actor: {EXAMPLE_MEMBER}'"
        " -H 'Aorist-After: social=1'",
        f"{_program()} history social.profile {EXAMPLE_MEMBER}",
    ]


def _path(place: str) -> str:
    return place.removeprefix("sqlite:///")


def _program() -> str:
    """Return how this program was called, as a person in the same folder would call it."""
    called = Path(sys.argv[0])
    if called.name != "aorist":
        return "aorist"
    return os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)
