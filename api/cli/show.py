"""`aorist show`: an aggregate's state, now or in its past."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from api.cli._program import (
    WRONG_USE,
    fail,
    noted,
    opened,
    out,
    parsed_id,
    parsed_time,
    run,
    settings_of,
)
from infra.history import state_at
from infra.reads import FACTS
from infra.settings import Settings

Kind = Annotated[str, typer.Argument(help="Kind of aggregate: banking.account.")]
Id = Annotated[str, typer.Argument(help="Its id.")]


def show(
    context: typer.Context,
    kind: Kind,
    id: Id,
    at_version: Annotated[
        int | None, typer.Option(min=1, help="As it was after so many facts.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="As it was at a time: 2026-01-31T12:00:00Z.")
    ] = None,
) -> None:
    """Fold an aggregate from its facts and print its state as JSON."""
    if at_version is not None and as_of is not None:
        fail("give --at-version or --as-of, not both", WRONG_USE)
    wanted = run(
        _show(
            settings_of(context),
            kind,
            parsed_id(id, "ID"),
            at_version,
            parsed_time(as_of, "--as-of"),
        )
    )
    out.print(msgspec.json.format(msgspec.json.encode(wanted), indent=2).decode(), markup=False)


async def _show(
    settings: Settings, kind: str, id: UUID, at_version: int | None, as_of: datetime | None
) -> dict[str, Any]:
    async with opened(settings) as system:
        await noted(system, FACTS, "show", kind=kind, id=id)
        state, at = await state_at(system, kind, id, at_version=at_version, as_of=as_of)
    return {
        "kind": kind,
        "id": id,
        "version": at.version,
        "time": at.time,
        "state": msgspec.to_builtins(state, str_keys=True),
    }
