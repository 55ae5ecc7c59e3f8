"""`aorist replay`: rebuilds read models beside the live ones and compares the two."""

from typing import Annotated

import typer

from api.cli._meter import Meter
from api.cli._program import FAILED, a_context, opened, out, run, settings_of
from infra.discovery import Projecting
from infra.rebuild import Comparison, rebuild
from infra.settings import Settings
from infra.system import System


def replay(
    context: typer.Context,
    projection: Annotated[
        str | None, typer.Argument(help="Only this one: banking.statement. All by default.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--context", help="Only this context's projections.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Where they differ, keep the rebuilt rows.")
    ] = False,
) -> None:
    """Rebuild read models from the log and say how they differ from the live tables.

    The live tables go on serving. Both are compared at the position of the live reader, so a
    reader that is behind the log, or stopped, makes no difference. Exits 1 when rows differ and
    are not accepted.
    """
    if not run(_replay(settings_of(context), projection, only, accept)):
        raise typer.Exit(FAILED)


async def _replay(
    settings: Settings, projection: str | None, context: str | None, accept: bool
) -> bool:
    async with opened(settings) as system:
        well = True
        for projecting in chosen(system, projection, context):
            comparison = await rebuilt(system, projecting, accept=accept)
            head = await system.logs[projecting.context].store.head()
            out.print(said(comparison, head, accepted=accept), markup=False)
            well = well and (accept or comparison.equal)
    return well


def chosen(system: System, projection: str | None, context: str | None) -> list[Projecting]:
    """Return the projections asked for. Raises `LookupError` with the names there are."""
    if context is not None:
        a_context(system, context)
    found = [
        projecting
        for projecting in system.features.projections
        if projection in (None, projecting.name)
        and context in (None, projecting.context)
        and projecting.context in system.contexts
    ]
    if not found:
        names = ", ".join(projecting.name for projecting in system.features.projections)
        raise LookupError(f"no projection is called {projection!r}; there are {names}")
    return found


async def rebuilt(system: System, projecting: Projecting, *, accept: bool = False) -> Comparison:
    """Rebuild one projection and show how far it is."""
    with Meter(f"replay {projecting.name}", "events") as meter:
        return await rebuild(
            projecting,
            system.logs[projecting.context].store,
            system.codec,
            system.databases[projecting.context],
            accept=accept,
            progress=lambda done, total, _: meter.show(done, done / total),
        )


def said(comparison: Comparison, head: int, *, accepted: bool) -> str:
    """Return what came of one rebuild: equal, or the rows that differ, by key."""
    rate = comparison.position / comparison.seconds if comparison.seconds else 0
    at = f"{comparison.rows:,} rows at position {comparison.position:,}, {rate:,.0f} events/s"
    if comparison.position < head:
        at += f"; the live reader is {head - comparison.position:,} facts behind the log"
    if comparison.equal:
        return f"equal    {comparison.projection}: {at}"
    verdict = "replaced" if accepted else "DIFFERS "
    return "\n".join(
        [f"{verdict} {comparison.projection}: {at}"]
        + [f"         {difference}" for difference in comparison.differences]
    )
