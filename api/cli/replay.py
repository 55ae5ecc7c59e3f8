"""`aorist replay`: rebuilds read models beside the live ones, compares the two and swaps them."""

import asyncio
from functools import partial
from typing import Annotated

import typer

from api.cli._meter import Meter
from api.cli._program import FAILED, WRONG_USE, a_context, fail, opened, out, run, settings_of
from api.cli._whatif import dry
from infra.collector import paused
from infra.database import Database
from infra.discovery import Projecting
from infra.rebuilding.comparison import Comparison
from infra.rebuilding.generations import kept, patiently, prune, undo
from infra.rebuilding.gently import GENTLE_BATCH, REST, step_back
from infra.rebuilding.rebuild import BATCH, rebuild_all
from infra.settings import Settings
from infra.system import System

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Change nothing; say what --code would do otherwise.")
]
Code = Annotated[
    str | None,
    typer.Option(help="With --dry-run: a folder with a checkout, or a revision of this one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="With --dry-run: print what differs as JSON.")]


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
    gently: Annotated[
        bool,
        typer.Option("--gently", help="Go last and rest often: others are served meanwhile."),
    ] = False,
    back: Annotated[
        bool, typer.Option("--undo", help="Swap the previous tables back in; rebuild nothing.")
    ] = False,
    prunes: Annotated[
        bool, typer.Option("--prune", help="Drop the previous tables; rebuild nothing.")
    ] = False,
    dry_run: DryRun = False,
    code: Code = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild read models from the log, say how they differ from the live tables, and swap.

    The live tables go on serving. Both are compared at the position of the live reader, so a
    reader that is behind the log, or stopped, makes no difference. Equal tables are swapped, and
    those that differ when that is accepted; the previous ones are kept for --undo until --prune
    or the next rebuild. Exits 1 when rows differ and are not accepted.

    With --dry-run --code it runs other code over the logs instead, where it can do no harm, and
    says which rows, states of aggregates and steps of sagas would be others. Exits 1 for any.
    """
    if dry_run != (code is not None) or (as_json and not dry_run):
        fail("--dry-run and --code go together, and --json goes with them", WRONG_USE)
    if dry_run and (accept or afresh or back or prunes):
        fail("--dry-run changes nothing, so nothing can be accepted, undone or pruned", WRONG_USE)
    if code is not None:
        if not run(dry(settings_of(context), code, projections, only, as_json=as_json)):
            raise typer.Exit(FAILED)
        return
    if back and prunes:
        fail("--undo needs what --prune drops; choose one")
    settings = settings_of(context)
    if back or prunes:
        run(_change(settings, projections, only, back=back))
        return
    if gently:
        step_back()
    options = {"accept": accept, "afresh": afresh, "gently": gently}
    if not run(_replay(settings, projections, only, options)):
        raise typer.Exit(FAILED)


async def _replay(
    settings: Settings, names: list[str] | None, only: str | None, options: dict[str, bool]
) -> bool:
    async with opened(settings) as system:
        well = True
        projections = chosen(system, names, only)
        for comparison in await rebuilt(system, projections, **options):
            context = comparison.projection.partition(".")[0]
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


async def rebuilt(
    system: System,
    projections: list[Projecting],
    *,
    accept: bool = False,
    swap: bool = True,
    afresh: bool = False,
    gently: bool = False,
) -> list[Comparison]:
    """Rebuild projections, those of each context together, and show how far they are.

    Raises what stops one context, when the others have ended.
    """
    contexts: dict[str, list[Projecting]] = {p.context: [] for p in projections}
    for projecting in projections:
        contexts[projecting.context].append(projecting)
    done, all_ = dict.fromkeys(contexts, 0), dict.fromkeys(contexts, 0)
    with Meter(f"replay {_shown(projections)}", "events") as meter, paused():

        async def one(context: str) -> list[Comparison]:
            def progress(passed: int, total: int, _: float) -> None:
                done[context], all_[context] = passed, total
                meter.show(sum(done.values()), sum(done.values()) / sum(all_.values()))

            return await rebuild_all(
                contexts[context],
                system.logs[context].store,
                system.codec,
                system.databases[context],
                accept=accept,
                swap=swap,
                afresh=afresh,
                batch=(GENTLE_BATCH if gently else BATCH) // len(contexts),
                rest=REST if gently else 0.0,
                progress=progress,
            )

        found = await asyncio.gather(*map(one, contexts), return_exceptions=True)
    for failed in found:
        if isinstance(failed, BaseException):
            raise failed
    return [comparison for part in found for comparison in part]  # type: ignore[union-attr]


def _shown(projections: list[Projecting]) -> str:
    names = [projecting.name for projecting in projections]
    return names[0] if len(names) == 1 else f"{len(names)} projections"


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
