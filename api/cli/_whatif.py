"""What `aorist replay --dry-run` says: how other code would have it."""

import json

import msgspec

from api.cli._meter import Meter
from api.cli._program import a_context, opened, out
from infra.candidates.outcomes import Difference, Outcome, Part
from infra.candidates.whatif import what_if
from infra.settings import Settings

KINDS = {
    "projections": "rows",
    "states": "streams",
    "sagas": "steps",
    "decisions": "decisions",
    "faults": "faults",
}
NOT_COMPARED = (
    "not compared: what commands of people would decide, for their values are not kept; what "
    "commands that ask the outside world would decide; what would follow from commands that were "
    "never sent"
)


async def dry(
    settings: Settings, code: str, names: list[str] | None, only: str | None, *, as_json: bool
) -> bool:
    """Run other code over the logs; print what would differ. Returns whether nothing would."""
    async with opened(settings) as system:
        contexts = () if only is None else (a_context(system, only),)
        known = {projecting.name for projecting in system.features.projections}
        for name in names or ():
            if name not in known:
                raise LookupError(f"no projection is called {name!r}; there are {sorted(known)}")
        with Meter("what if", "facts") as meter:
            outcome = await what_if(
                system,
                code,
                contexts=contexts,
                projections=names or (),
                progress=lambda done, total: meter.show(done, done / total if total else 1.0),
            )
    if as_json:
        shown = {"equal": outcome.equal, **msgspec.to_builtins(outcome)}
        out.print(json.dumps({**shown, "not_compared": NOT_COMPARED}), markup=False)
    else:
        out.print(said(outcome), markup=False)
    return outcome.equal


def said(outcome: Outcome) -> str:
    """Return an outcome as lines."""
    seen = ", ".join(f"{context}={position:,}" for context, position in outcome.positions.items())
    lines = [f"both ran over {seen}"]
    for kind, unit in KINDS.items():
        for part in getattr(outcome, kind):
            lines += _part(part, unit)
    lines.append(NOT_COMPARED)
    lines.append("nothing would differ" if outcome.equal else "the candidate differs; see above")
    return "\n".join(lines)


def _part(part: Part, unit: str) -> list[str]:
    verdict = "DIFFERS" if part.differing else "equal  "
    counted = f"{part.compared:,} {unit}, {part.differing:,} differ"
    lines = [f"{verdict}  {part.name}: {counted}"]
    lines += [f"         {_difference(one)}" for one in part.differences]
    if part.differing > len(part.differences):
        lines.append(f"         and {part.differing - len(part.differences):,} more")
    return lines


def _difference(one: Difference) -> str:
    now, then = (
        "nothing" if side is None else json.dumps(side, ensure_ascii=False)
        for side in (one.now, one.then)
    )
    happened = f" ({one.happened})" if one.happened else ""
    return f"{one.what}: now {now}{happened}, then {then}"
