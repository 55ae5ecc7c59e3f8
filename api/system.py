"""Routes of no feature: health, metrics, the log's facts, aggregates in time, the audit trail."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AfterValidator, AwareDatetime

from api.answers import AggregateShown, AuditPage, FactsPage, Ready
from api.inspecting import INSPECTORS, Inspector
from api.middleware import MAX_CORRELATION, correlation_of
from api.permissions import EVERYONE, allow, only
from api.ports import BASE, system_of
from domain import NotFound
from infra.audit import Place, trail
from infra.cursors import BadCursor
from infra.deadlines import Deadlines
from infra.history import facts_after, facts_of, has_topic, require_reached, shown, state_at
from infra.log.port import CorruptFact, LogError, Recorded, Unavailable
from infra.log.unbroken import read_on
from infra.migrations import latest, revision
from infra.readers import Reader
from infra.system import System

HEARTBEAT_S = 15.0
"""A silent stream says that it lives."""
STREAM_PAGE = 500


def _instant(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


Instant = Annotated[AwareDatetime, AfterValidator(_instant)]
"""A time with a zone (RFC 3339)."""

routes = APIRouter(tags=["system"])


@routes.get("/livez", operation_id="livez", response_class=PlainTextResponse)
@allow(EVERYONE)
async def livez() -> str:
    """Say that the process answers."""
    return "ok\n"


@routes.get("/readyz", operation_id="readyz", response_model=Ready)
@allow(EVERYONE)
async def readyz(request: Request) -> JSONResponse:
    """Say whether the stores answer and the readers keep up; 503 names what does not."""
    system = system_of(request)
    problems = await unready(system)
    found = {
        "ready": not problems,
        "problems": problems,
        "degraded": await system.degraded(),
    }
    return JSONResponse(found, 503 if problems else 200)


async def unready(system: System) -> list[str]:
    """Return what keeps the process from being ready, in sentences."""
    try:
        await system.measure()
        for context, database in system.databases.items():
            if await revision(database, context) != latest():
                return [f"{context}: its tables are not those of this program; run aorist migrate"]
    except LogError as error:
        return [str(error)]
    workers: list[Reader | Deadlines] = [*system.readers, *system.deadlines]
    problems = [f"{worker.name}: {worker.failure}" for worker in workers if worker.failure]
    budget = system.settings.lag_budget
    return problems + [
        f"{reader} is {lag} facts behind, more than {budget}"
        for (reader, _), lag in system.telemetry.gauges.lag.items()
        if lag > budget
    ]


@routes.get("/metrics", operation_id="metrics", response_class=PlainTextResponse)
@allow(EVERYONE)
async def metrics(request: Request) -> Response:
    """Return the process's figures for Prometheus."""
    system = system_of(request)
    with suppress(LogError):  # the rest can be told though a store is away; /readyz names it
        await system.measure()
    return Response(generate_latest(system.telemetry.registry), media_type=CONTENT_TYPE_LATEST)


@routes.get(BASE + "/events", operation_id="events", response_model=FactsPage)
@allow(only(*INSPECTORS))
async def events(
    request: Request,
    _: Inspector,
    context: str,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    topic: str | None = None,
    stream: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Page through the facts of a context; `topic` may be a prefix that ends in a dot."""
    system = system_of(request)
    _log(system, context)
    items: list[dict[str, Any]] = []
    async for fact, at in facts_after(
        system, context, after, topic=topic, stream=stream, page=limit
    ):
        items.append(shown(fact, at))
        if len(items) == limit:
            break
    following = items[-1]["position"] if len(items) == limit else None
    return {"items": items, "next": following}


@routes.get(BASE + "/events/stream", operation_id="events_stream", response_class=StreamingResponse)
@allow(only(*INSPECTORS))
async def events_stream(
    request: Request,
    _: Inspector,
    context: str,
    after: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    topic: str | None = None,
) -> StreamingResponse:
    """Stream facts as server-sent events, from `Last-Event-ID` or `after`, else from now on."""
    system = system_of(request)
    log = _log(system, context)
    last = request.headers.get("Last-Event-ID", "")
    start = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
    if start:
        await require_reached(log.store, start)
    position = await log.store.head() if start is None else start
    return StreamingResponse(
        _server_sent(system, context, position, topic),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _server_sent(
    system: System, context: str, position: int, topic: str | None
) -> AsyncIterator[str]:
    log, bell = system.logs[context], system.bells[context]
    now = asyncio.get_running_loop().time
    silent_since = now()
    poll_s = system.settings.reader_poll_ms / 1000
    yield ": connected\n\n"
    while True:
        heard = bell.rings
        recorded: Sequence[Recorded] = ()
        try:
            recorded = await read_on(log.store, position, STREAM_PAGE)
        except Unavailable:
            pass  # it goes on when the store is back
        except CorruptFact as error:
            yield f"event: corrupt_fact\ndata: {error}\n\n"
            return
        for one in recorded:
            position = one.at.position
            if has_topic(one.at.topic, topic):
                try:
                    data = msgspec.json.encode(shown(system.codec.decode(one), one.at)).decode()
                except CorruptFact as error:
                    yield f"event: corrupt_fact\ndata: {error}\n\n"
                    return  # nothing behind it is sent: nothing is skipped
                yield f"id: {position}\nevent: {one.at.topic}\ndata: {data}\n\n"
                silent_since = now()
        if now() - silent_since >= HEARTBEAT_S:
            silent_since = now()
            yield ": alive\n\n"
        if not recorded:
            await bell.wait(poll_s, heard)


@routes.get(
    BASE + "/aggregates/{kind}/{id}", operation_id="aggregate", response_model=AggregateShown
)
@allow(only(*INSPECTORS))
async def aggregate(
    request: Request,
    response: Response,
    _: Inspector,
    kind: str,
    id: UUID,
    at_version: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    as_of: Instant | None = None,
) -> dict[str, Any]:
    """Fold an aggregate from its facts: now, at a version, or as of a time."""
    state, at = await state_at(
        system_of(request), _kind(request, kind), id, at_version=at_version, as_of=as_of
    )
    response.headers["ETag"] = f'"{at.version}"'
    return {
        "kind": kind,
        "id": str(id),
        "version": at.version,
        "time": at.time,
        "state": msgspec.to_builtins(state, str_keys=True),
    }


@routes.get(
    BASE + "/aggregates/{kind}/{id}/history",
    operation_id="aggregate_history",
    response_model=FactsPage,
)
@allow(only(*INSPECTORS))
async def aggregate_history(
    request: Request,
    _: Inspector,
    kind: str,
    id: UUID,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Page through an aggregate's facts with their envelopes."""
    found = await facts_of(system_of(request), _kind(request, kind), id, after=after, limit=limit)
    following = found[-1][1].version if len(found) == limit else None
    return {"items": [shown(fact, at) for fact, at in found], "next": following}


@routes.get(BASE + "/audit", operation_id="audit", response_model=AuditPage)
@allow(only(*INSPECTORS))
async def audit(
    request: Request,
    _: Inspector,
    context: str | None = None,
    actor: str | None = None,
    resource: UUID | None = None,
    correlation_id: Annotated[str | None, Query(max_length=MAX_CORRELATION)] = None,
    since: Instant | None = None,
    until: Instant | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, Any]:
    """Say who did what, when, why, from where and with which result; refusals too.

    Context by context, oldest first. `correlation_id` may be the text that a caller sent.
    """
    system = system_of(request)
    if context is not None:
        _log(system, context)
    contexts = (context,) if context else system.contexts
    items: list[Any] = []
    following = None
    entries = trail(
        system,
        contexts=contexts,
        actor=actor,
        resource=resource,
        correlation_id=correlation_of(correlation_id) if correlation_id else None,
        since=since,
        until=until,
        after=_place(contexts, cursor) if cursor else None,
    )
    async for entry in entries:
        if len(items) == limit:
            following = items[-1]["place"]
            break
        items.append(msgspec.to_builtins(entry))
    return {"items": items, "next": following}


def _place(contexts: Collection[str], cursor: str) -> Place:
    found = re.fullmatch("(.+):([0-9]{1,18}):([0-9]{1,18})", cursor)
    if found is None or found[1] not in contexts:
        raise BadCursor(f"cursor {cursor!r} is not one of this list; start again without a cursor")
    return Place(found[1], int(found[2]), int(found[3]))


def _log(system: System, context: str) -> Any:
    if context not in system.contexts:
        raise NotFound(f"no context is called {context!r}; there are {', '.join(system.contexts)}")
    return system.logs[context]


def _kind(request: Request, kind: str) -> str:
    system = system_of(request)
    kinds = [known for known in system.features.states if known.partition(".")[0] in system.logs]
    if kind not in kinds:
        raise NotFound(f"no aggregate is called {kind!r}; there are {', '.join(sorted(kinds))}")
    return kind
