"""What operators, and watchers in their place, do beside commands; shown in the audit trail.

Commands leave receipts in the log. To retry a parked fact, to drop it, to mend a row or to report
a breach is no command: it leaves a row here, in the transaction of what was done.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.database import Database
from projections import Moment

MAX_DETAIL = 4_000
"""Characters kept of a detail."""
DONE = "done"
"""The usual result."""


class Intervention(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done."""

    time: datetime
    actor: str
    action: str
    """What was done, like a command's name: `RetryParked`."""
    subject: str
    """What it was done to, in words: `reader banking.account, key …`."""
    resource: UUID | None = None
    """The aggregate concerned, if it is one: the trail is filtered by it."""
    position: int = 0
    """The position of the fact concerned, if it is one."""
    result: str = DONE
    """A code: `done`, or what else came of it."""
    detail: str | None = None
    reason: str | None = None
    """Why, in the actor's words."""
    address: str | None = None
    agent: str | None = None
    """From where, and by which program; None for what is done on the machine itself."""
    roles: str | None = None
    """Those the actor had: sorted, joined by commas."""
    correlation_id: UUID | None = None
    """What it belongs to; its own id when it is the first."""
    causation_id: UUID | None = None


@cache
def interventions_of(context: str) -> Table:
    """Return the table of interventions of a context."""
    return Table(
        "interventions",
        MetaData(),
        Column("number", BigInteger, primary_key=True),
        Column("id", Uuid),
        Column("time", Moment),
        Column("actor", Text),
        Column("action", Text),
        Column("subject", Text),
        Column("resource", Uuid),
        Column("position", BigInteger),
        Column("result", Text),
        Column("detail", Text),
        Column("reason", Text),
        Column("correlation_id", Uuid),
        Column("causation_id", Uuid),
        Column("address", Text),
        Column("agent", Text),
        Column("roles", Text),
        schema=context,
    )


async def record(connection: AsyncConnection, context: str, made: Intervention) -> None:
    """Keep an intervention in the transaction that makes it.

    Do it last: until the transaction ends nobody else can record one in this context, so that
    numbers follow the order in which they become visible, and none is missed by who pages.
    """
    if connection.dialect.name != "sqlite":
        # A lock of the table would need the right to change what is in it.
        lock = "SELECT pg_advisory_xact_lock(hashtext('aorist-interventions-' || %s::text))"
        await connection.exec_driver_sql(lock, (context,))
    id = uuid4()
    values = msgspec.structs.asdict(made)
    values["correlation_id"] = made.correlation_id or id
    values["detail"] = made.detail and made.detail[:MAX_DETAIL]
    await connection.execute(insert(interventions_of(context)).values(id=id, **values))


async def interventions(
    database: Database,
    context: str,
    *,
    after: int,
    limit: int,
    actor: str | None = None,
    resource: UUID | None = None,
    correlation_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[Any]:
    """Return the rows with a number > `after` that pass all filters, oldest first."""
    table = interventions_of(context).c
    query = select(interventions_of(context)).where(table.number > after)
    if actor is not None:
        query = query.where(table.actor == actor)
    if resource is not None:
        query = query.where(table.resource == resource)
    if correlation_id is not None:
        query = query.where(table.correlation_id == correlation_id)
    if since is not None:
        query = query.where(table.time >= since)
    if until is not None:
        query = query.where(table.time <= until)
    async with database.read() as connection:
        return (await connection.execute(query.order_by(table.number).limit(limit))).all()
