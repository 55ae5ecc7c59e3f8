"""The drift audit for `aorist check`: one pass at full speed, with its progress."""

from api.cli._meter import Meter
from infra.check import Finding
from infra.guarding.drift import Drift
from infra.system import System

STEP = 2_000
"""Facts folded between two looks at the meter."""
ACTOR = "aorist check"
"""Who mends, for the audit trail."""


async def drifted(system: System, context: str, *, sample: int, repair: bool) -> list[Finding]:
    """Compare a sample of a context's rows with what they fold to, and mend them if told so."""
    with Meter(f"drift {context}", "facts") as meter:
        work = system.guards.drift(context, sample)
        await work.begin()
        while await work.step(STEP):
            meter.show(work.position, work.position / work.target)
        found = await work.end(mend=repair, actor=ACTOR)
    for one in found:
        system.telemetry.findings.drift(one)
    return [_finding(one) for one in found]


def _finding(found: Drift) -> Finding:
    finding = Finding(f"rows of {found.projection} are what the facts fold to", "")
    parts = [f"{found.rows:,} rows at position {found.position:,}"]
    parts += [f"{found.mended:,} of {found.total:,} mended"] if found.total else []
    finding.counted = "; ".join([*parts, *found.notes])
    if found.failure:
        finding.breach(f"they cannot be folded: {found.failure}")
    finding.breaches += found.differences
    finding.total += found.total
    finding.mended = found.good
    return finding
