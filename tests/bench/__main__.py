"""`python -m tests.bench`: measure, print the table, write the file. `make bench` runs it."""

import importlib
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

import tests.bench
from tests.bench.bench import Bench, NotDurable
from tests.bench.figures import Figure, Group, Outcome, run
from tests.bench.report import table, write
from tests.stores import NO_POSTGRES, POSTGRES_VARIABLE

BUILD = Path("build")
QUICK_S = 0.3
WIDTH = 110
"""Of the table, in a pipe."""
MISSED, WRONG_USE, STOPPED = 1, 2, 143


def groups() -> list[Group]:
    """Return the group of every module that has one."""
    found = [
        importlib.import_module(f"tests.bench.{module.name}")
        for module in pkgutil.iter_modules(tests.bench.__path__)
        if module.name != "__main__"
    ]
    return [module.GROUP for module in found if hasattr(module, "GROUP")]


def main(
    only: Annotated[
        list[str] | None, typer.Option(help="Only this figure; several with commas or again.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the results go.")] = BUILD / "bench.json",
    show: Annotated[bool, typer.Option("--list", help="List the figures and stop.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: a try, no figures.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when a target is missed.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Rounds of each contender.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Length of a round.")] = None,
) -> None:
    """Measure Aorist beside its references, in turns on the same server."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    if show:
        for figure in (figure for group in groups() for figure in group.figures):
            beside = " or ".join(figure.reference) or "nothing"
            console.print(f"{figure.name:20} {figure.ours} beside {beside}, {figure.target}")
        return
    chosen = _chosen(only)
    with _bench(quick, rounds, seconds) as bench:
        try:
            outcomes = _measured(chosen, bench, out)
        except NotDurable as error:
            _fail(str(error))
    console.print(table(outcomes))
    console.print(f"written to {out}")
    missed = strict and any(r.met is False for outcome in outcomes for r in outcome.results)
    if missed or any(outcome.broken for outcome in outcomes):
        raise typer.Exit(MISSED)


def _measured(chosen: list[tuple[Group, list[Figure]]], bench: Bench, out: Path) -> list[Outcome]:
    machine = bench.machine()
    outcomes: list[Outcome] = []
    for group, figures in chosen:
        bench.console.print(", ".join(figure.name for figure in figures))
        outcomes.append(run(group, figures, bench))
        write(out, bench, machine, outcomes)  # after each group: a long run may be broken off
    return outcomes


def _chosen(only: list[str] | None) -> list[tuple[Group, list[Figure]]]:
    """Return the groups with the figures of them that are wanted. Exits for an unknown name."""
    wanted = {name for names in only or () for name in names.replace(",", " ").split()}
    known = {figure.name for group in groups() for figure in group.figures}
    if wanted - known:
        _fail(f"no figure is called {', '.join(sorted(wanted - known))}; see --list")
    chosen = [
        (group, [f for f in group.figures if not wanted or f.name in wanted]) for group in groups()
    ]
    return [(group, figures) for group, figures in chosen if figures]


@contextmanager
def _bench(quick: bool, rounds: int | None, seconds: float | None) -> Iterator[Bench]:
    server = os.environ.get(POSTGRES_VARIABLE)
    if not server:
        _fail(NO_POSTGRES)
    BUILD.mkdir(exist_ok=True)
    # Not in /tmp: that may be memory, where a sync costs nothing.
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD)).resolve()
    try:
        yield Bench(
            server,
            folder,
            quick=quick,
            rounds=rounds or (1 if quick else 3),
            seconds=seconds or (QUICK_S if quick else 5.0),
        )
    finally:
        shutil.rmtree(folder)


def _fail(message: str) -> NoReturn:
    Console(stderr=True, highlight=False).print(f"bench: {message}", markup=False)
    raise typer.Exit(WRONG_USE)


if __name__ == "__main__":
    # Told to stop, it clears away its databases and processes, as at any other end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    typer.run(main)
