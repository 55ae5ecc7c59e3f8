"""`aorist replay`: rebuilds read models beside the live ones, compares the two and swaps them."""

from functools import partial
from typing import Annotated

import typer

from api.cli._meter import Meter
from api.cli._program import FAILED, a_context, fail, opened, out, run, settings_of
from infra.database import Database
from infra.discovery import Projecting
from infra.generations import kept, patiently, prune, undo
from infra.rebuild import Comparison, rebuild_all
from infra.settings import Settings
from infra.system import System


def replay(
    context: typer.Context,
    projections: Annotated[
        list[str] | None, typer.Argument(help="Only these: banking.statement. All by default.")
    ] = None,
    only: Annotated[
        str | None, typer.Option("--context", help="Only this context's projections.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Where they differ, swap the rebuilt tables in.")
    ] = False,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Do not go on where a killed rebuild was.")
    ] = False,
    back: Annotated[
        bool, typer.Option("--undo", help="Swap the previous tables back in; rebuild nothing.")
    ] = False,
    prunes: Annotated[
        bool, typer.Option("--prune", help="Drop the previous tables; rebuild nothing.")
    ] = False,
) -> None:
    """Rebuild read models from the log, say how they differ from the live tables, and swap.

    The live tables go on serving. Both are compared at the position of the live reader, so a
    reader that is behind the log, or stopped, makes no difference. Equal tables are swapped, and
    those that differ when that is accepted; the previous ones are kept for --undo until --prune
    or the next rebuild. Exits 1 when rows differ and are not accepted.
    """
    if back and prunes:
        fail("--undo needs what --prune drops; choose one")
    settings = settings_of(context)
    if back or prunes:
        run(_change(settings, projections, only, back=back))
    elif not run(_replay(settings, projections, only, accept=accept, afresh=afresh)):
        raise typer.Exit(FAILED)


async def _replay(
    settings: Settings, names: list[str] | None, only: str | None, *, accept: bool, afresh: bool
) -> bool:
    async with opened(settings) as system:
        well = True
        for context, projections in by_context(chosen(system, names, only)).items():
            for comparison in await rebuilt(
                system, context, projections, accept=accept, afresh=afresh
            ):
                head = await system.logs[context].store.head()
                out.print(said(comparison, head), markup=False)
                well = well and (comparison.equal or comparison.swapped)
    return well


async def _change(
    settings: Settings, names: list[str] | None, only: str | None, *, back: bool
) -> None:
    async with opened(settings) as system:
        done = 0
        for projecting in chosen(system, names, only):
            database = system.databases[projecting.context]
            async with database.read() as connection:
                found = await kept(connection, projecting)
            if not names and (found is None or found.previous is None):
                continue  # not asked for by name
            done += 1
            out.print(await _changed(database, projecting, back=back), markup=False)
        if not done:
            out.print("no previous tables are kept")


async def _changed(database: Database, projecting: Projecting, *, back: bool) -> str:
    if back:
        position = await patiently(database, partial(undo, projecting=projecting), projecting.name)
        return f"undone   {projecting.name}: at position {position:,}, and goes on from there"
    async with database.write() as connection:
        tables = await prune(connection, projecting)
    return f"pruned   {projecting.name}: {', '.join(tables) or 'nothing was kept'}"


def chosen(system: System, names: list[str] | None, context: str | None) -> list[Projecting]:
    """Return the projections asked for. Raises `LookupError` with the names there are."""
    if context is not None:
        a_context(system, context)
    known = [p for p in system.features.projections if p.context in system.contexts]
    for name in names or ():
        if name not in {projecting.name for projecting in known}:
            there = ", ".join(projecting.name for projecting in known)
            raise LookupError(f"no projection is called {name!r}; there are {there}")
    found = [p for p in known if (not names or p.name in names) and context in (None, p.context)]
    if not found:
        raise LookupError(f"context {context!r} has none of these projections")
    return found


def by_context(projections: list[Projecting]) -> dict[str, list[Projecting]]:
    """Return projections by context: those of one are rebuilt together."""
    found: dict[str, list[Projecting]] = {}
    for projecting in projections:
        found.setdefault(projecting.context, []).append(projecting)
    return found


async def rebuilt(
    system: System,
    context: str,
    projections: list[Projecting],
    *,
    accept: bool = False,
    swap: bool = True,
    afresh: bool = False,
) -> list[Comparison]:
    """Rebuild projections of one context and show how far they are."""
    what = projections[0].name if len(projections) == 1 else context
    with Meter(f"replay {what}", "events") as meter:
        return await rebuild_all(
            projections,
            system.logs[context].store,
            system.codec,
            system.databases[context],
            accept=accept,
            swap=swap,
            afresh=afresh,
            progress=lambda done, total, _: meter.show(done, done / total),
        )


def said(comparison: Comparison, head: int) -> str:
    """Return what came of one rebuild: equal, or the rows that differ, by key."""
    if comparison.failure is not None:
        return f"FAILED   {comparison.projection}: {comparison.failure}"
    passed = comparison.position - comparison.resumed_at
    rate = passed / comparison.seconds if comparison.seconds else 0
    at = f"{comparison.rows:,} rows at position {comparison.position:,}, {rate:,.0f} events/s"
    if comparison.resumed_at:
        at += f"; resumed at {comparison.resumed_at:,}"
    if comparison.position < head:
        at += f"; the live reader is {head - comparison.position:,} facts behind the log"
    if comparison.swapped:
        at += "; the previous tables are kept"
    if comparison.equal:
        return f"equal    {comparison.projection}: {at}"
    verdict = "replaced" if comparison.swapped else "DIFFERS "
    lines = [f"{verdict} {comparison.projection}: {at}"]
    lines += [f"         {difference}" for difference in comparison.differences]
    if comparison.total > len(comparison.differences):
        lines.append(f"         and {comparison.total - len(comparison.differences):,} more rows")
    return "\n".join(lines)
