"""The table for a person and the file for a program."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.bench.bench import Bench
from tests.bench.figures import Outcome, Result, Spread

COLUMNS = ("figure", "ours", "reference", "ratio", "target", "met")


def table(outcomes: Iterable[Outcome]) -> Table:
    """Return one row for each figure; below a median stand its least and its most."""
    shown = Table(*COLUMNS)
    for outcome in outcomes:
        for result in outcome.results:
            shown.add_row(*_cells(result))
        for name, why in outcome.broken.items():
            shown.add_row(name, f"[red]{why}[/]", "", "", "", "[red]BROKEN[/]")
    return shown


def _cells(result: Result) -> Sequence[str]:
    unit = result.figure.unit
    reference = result.reference
    return (
        result.figure.name,
        _shown(result.ours, unit),
        f"{_shown(reference, unit)}\n{reference.contender}" if reference else "–",
        "–" if result.ratio is None else f"{result.ratio:.2f}",
        result.figure.target,
        {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[result.met],
    )


def _shown(spread: Spread, unit: str) -> str:
    ends = f"{_number(spread.low)}..{_number(spread.high)}"
    return f"{_number(spread.median)}{unit}\n[dim]{ends}[/]"


def _number(value: float) -> str:
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def write(path: Path, bench: Bench, machine: dict[str, Any], outcomes: Iterable[Outcome]) -> None:
    """Write everything that was measured, each round's raw numbers too."""
    parts = [outcome.as_json() for outcome in outcomes]
    whole = {
        "quick": bench.quick,
        "rounds": bench.rounds,
        "seconds": bench.seconds,
        "machine": machine,
        "sizes": bench.notes,
        "figures": [figure for part in parts for figure in part["figures"]],
        "raw": {name: rounds for part in parts for name, rounds in part["rounds"].items()},
        "broken": {name: why for part in parts for name, why in part["broken"].items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
