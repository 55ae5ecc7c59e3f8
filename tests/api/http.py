"""Requests to the real app on a scenario's system; nothing runs in the background."""

from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from api.http import make_app
from infra.system import System
from tests.scenario import Scenario

ALICE = UUID("a11ce000-0000-7000-8000-000000000001")
BOB = UUID("b0b00000-0000-7000-8000-000000000002")
OPERATOR = {"Aorist-Actor": "job:inspection", "Aorist-Roles": "operator"}


_apps: dict[tuple[str, ...], FastAPI] = {}


def _app_of(system: System) -> FastAPI:
    """Return an app over the system. Making one takes longer than a test, so it changes hands."""
    if system.contexts not in _apps:
        _apps[system.contexts] = make_app(system)
    app = _apps[system.contexts]
    app.state.system = system
    return app


class Http:
    """A client whose requests run on the scenario's loop, as Alice unless told otherwise."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.app: FastAPI = _app_of(scenario.system)
        # What the app does not catch is not hidden from a test.
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=True),
            base_url="http://test",
            headers={"Aorist-Actor": str(ALICE)},
        )

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request; a path below /api/v1 unless it begins with two slashes."""
        path = path[1:] if path.startswith("//") else "/api/v1" + path
        return self.scenario.run(self.client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Send a GET."""
        return self.send("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Send a POST with a JSON body."""
        if body is not None:
            options["json"] = body
        return self.send("POST", path, **options)

    def close(self) -> None:
        """Release the client."""
        self.scenario.run(self.client.aclose())


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Expect a problem, complete as RFC 9457 and API.md want it; return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["code"] == code, found
    assert (found["status"], found["type"]) == (status, f"/problems/{code}")
    assert found["title"]
    assert found["detail"]
    assert found["instance"] == response.request.url.path
    assert UUID(found["correlation_id"])
    assert response.headers["X-Correlation-ID"]
    assert (status in (429, 503)) == ("Retry-After" in response.headers)
    return found


def new_id() -> str:
    return str(uuid4())
