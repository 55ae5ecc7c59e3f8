"""`aorist check`: verifies the logs, the rules that always hold, and the read models."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import typer

from api.cli._drift import drifted
from api.cli._meter import Meter
from api.cli._program import FAILED, WRONG_USE, a_context, fail, opened, out, run, settings_of
from api.cli.replay import chosen, rebuilt
from infra.check import Finding, examine
from infra.guarding.drift import MAX_SAMPLE, SAMPLE
from infra.log.port import CorruptFact
from infra.rebuilding.comparison import Comparison
from infra.settings import Settings
from infra.system import System

Looking = Callable[[System, str], Awaitable[list[Finding]]]
"""Looks at one context."""


def check(
    context: typer.Context,
    only: Annotated[
        str | None, typer.Option("--context", help="Only this context; all by default.")
    ] = None,
    drift: Annotated[
        bool,
        typer.Option("--drift", help="Only compare a sample of rows with what they fold to."),
    ] = False,
    sample: Annotated[
        int, typer.Option(min=1, max=MAX_SAMPLE, help="With --drift: rows of each table.")
    ] = SAMPLE,
    repair: Annotated[
        bool, typer.Option("--repair", help="With --drift: mend the rows that differ.")
    ] = False,
) -> None:
    """Check that what must hold does hold; exits 1 and names what fails.

    Walks through each log: positions and versions without gaps, receipts and facts that name
    each other, and the context's own rules, such as money that sums to zero. Then rebuilds every
    read model and compares it with the live tables.

    With --drift it reads each log once, folds a sample of rows from it, compares them with the
    live rows at the same position, and mends them one by one when told --repair.
    """
    if repair and not drift:
        fail("--repair mends what --drift finds; give both", WRONG_USE)
    looking = partial(drifted, sample=sample, repair=repair) if drift else _findings
    if not run(_check(settings_of(context), only, looking)):
        raise typer.Exit(FAILED)


async def _check(settings: Settings, only: str | None, looking: Looking) -> bool:
    async with opened(settings) as system:
        well = True
        for context in system.contexts if only is None else (a_context(system, only),):
            for finding in await looking(system, context):
                out.print(_said(context, finding), markup=False)
                well = well and finding.good
        out.print("everything holds" if well else "something does not hold; see FAIL above")
    return well


async def _findings(system: System, context: str) -> list[Finding]:
    with Meter(f"check {context}", "facts") as meter:
        findings = await examine(
            system, context, lambda done, total: meter.show(done, done / total if total else 1.0)
        )
    return findings + await _compared(system, context)


async def _compared(system: System, context: str) -> list[Finding]:
    projections = chosen(system, None, context)
    try:
        comparisons = await rebuilt(system, projections, swap=False)
    except CorruptFact as error:
        finding = Finding("read models equal a rebuild", "")
        finding.breach(str(error))
        return [finding]
    return [_equality(comparison) for comparison in comparisons]


def _equality(comparison: Comparison) -> Finding:
    finding = Finding(f"read model {comparison.projection} equals a rebuild", "")
    if comparison.failure is not None:
        finding.breach(str(comparison.failure))
        return finding
    finding.counted = f"{comparison.rows:,} rows at position {comparison.position:,}"
    for difference in comparison.differences:
        finding.breach(difference)
    return finding


def _said(context: str, finding: Finding) -> str:
    counted = f" ({finding.counted})" if finding.counted else ""
    lines = [f"{'ok  ' if finding.good else 'FAIL'}  {context}: {finding.name}{counted}"]
    lines += [f"        {breach}" for breach in finding.breaches]
    if finding.total > len(finding.breaches):
        lines.append(f"        and {finding.total - len(finding.breaches):,} more")
    return "\n".join(lines)
