"""The FastAPI app factory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from api import problems, system
from api.middleware import Around
from api.problems import Problem
from api.routes import BASE, Routes
from infra.discovery import Misbuilt, modules
from infra.system import System

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {
        "model": Problem,
        "description": text,
        "content": {"application/problem+json": {}},
    }
    for status, text in {
        401: "nobody says who is calling",
        403: "not allowed",
        404: "not found, or its existence is private",
        409: "a rule of the state refuses it; `code` names the rule",
        412: "the version has moved (`If-Match`)",
        413: "the body is too large",
        422: "malformed or invalid, or a key used for another command",
        503: "the store is away or behind; try again with the same key",
    }.items()
}


def make_app(running: System, *, follow: bool = True) -> FastAPI:
    """Return the app over a running system; with `follow` it runs the readers too.

    Raises `Misbuilt` when a context's API file has no `routes`.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if follow:
            await running.follow()
        yield
        await running.close()

    app = FastAPI(
        title="Aorist",
        version="0.1.0",
        description="Commands in, facts kept, read models out. Amounts are in minor units.",
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
        responses=ERRORS,
    )
    app.state.system = running
    for context, feature, module in modules("api", running.features.contexts):
        routes = getattr(module, "routes", None)
        if not isinstance(routes, Routes):
            raise Misbuilt(f"api/{context}/{feature}.py needs `routes = Routes(…)`")
        if context in running.contexts:
            app.include_router(routes, prefix=BASE)
    app.include_router(system.routes)
    problems.install(app)
    app.add_middleware(Around, telemetry=running.telemetry, body_bytes=running.settings.body_bytes)
    return app
