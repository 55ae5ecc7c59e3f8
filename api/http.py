"""The FastAPI app factory."""

from collections.abc import AsyncIterator, Container, Iterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from api import problems, refusing, registry, system
from api.documentation import documented
from api.middleware import Around
from api.permissions import declared
from api.ports import caller
from api.routes import Routes
from api.sending import PARAMETER, Commands
from infra.discovery import Misbuilt, discover, modules
from infra.rates import Rates
from infra.system import System

OF_NO_FEATURE: tuple[APIRouter, ...] = (system.routes, registry.routes)


class App(FastAPI):
    """The app with what is around every request, the framework's own layers included."""

    around: Around

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        scope["app"] = self
        await self.around(scope, receive, send)
        await refusing.keep(scope)


def make_app(running: System, *, follow: bool = True) -> FastAPI:
    """Return the app over a running system; with `follow` it runs the readers too.

    Raises `Misbuilt` when a context's API file has no `routes`.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if follow:
            await running.follow()
        else:
            running.attend()
        yield
        await running.close()

    app = App(
        title="Aorist",
        version="0.1.0",
        description="Commands in, facts kept, read models out. Amounts are in minor units.",
        lifespan=lifespan,
        dependencies=[Depends(caller)],
        docs_url="/docs",
        redoc_url=None,
    )
    app.state.system = running
    found = [*OF_NO_FEATURE, *_routers(running.features.contexts, running.contexts)]
    for router in found:
        app.include_router(router)
    _check(found)
    problems.install(app)
    app.openapi = lambda: documented(app)  # type: ignore[method-assign]
    commands = Commands()
    for router in found:
        for method, sending in getattr(router, "commands", ()):
            commands.add(method, sending)
    settings = running.settings
    rates = Rates(settings.caller_requests)
    app.around = Around(super(App, app).__call__, commands, rates, settings.cors_origins)
    return app


def every_route() -> list[APIRoute]:
    """Return the routes of all contexts, which nothing serves."""
    contexts = discover().contexts
    routers = [*OF_NO_FEATURE, *_routers(contexts, contexts)]
    return [one for router in routers for one in router.routes if isinstance(one, APIRoute)]


def _routers(known: Container[str], wanted: Container[str]) -> Iterator[APIRouter]:
    for context, feature, module in modules("api", known):
        routes = getattr(module, "routes", None)
        if not isinstance(routes, Routes):
            raise Misbuilt(f"api/{context}/{feature}.py needs `routes = Routes(…)`")
        if context in wanted:
            yield routes


def _check(found: list[APIRouter]) -> None:
    """Refuse routes that would mislead: one name for two, a `Location` that nothing answers.

    And one that does not say who may call it.
    """
    routes = [route for router in found for route in router.routes if isinstance(route, APIRoute)]
    named: dict[str | None, str] = {}
    for route in routes:
        place = f"{', '.join(route.methods or ())} {route.path}"
        if declared(route) is None:
            raise Misbuilt(f"{place} says not who may call it; declare it by allow=…")
        if route.operation_id in named:
            other, name = named[route.operation_id], route.operation_id
            raise Misbuilt(f"{other} and {place} are both called {name!r}; rename one")
        named[route.operation_id] = place
    readable = {
        PARAMETER.sub("{}", route.path) for route in routes if "GET" in (route.methods or ())
    }
    for router in found:
        for path, place in getattr(router, "places", {}).items():
            if PARAMETER.sub("{}", place) not in readable:
                raise Misbuilt(f"{path}: its Location {place} is no query; name one by location=")
