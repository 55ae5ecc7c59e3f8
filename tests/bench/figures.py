"""What is measured: contenders take turns in rounds, figures compare their medians."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from tests.bench.bench import Bench

Measures = Mapping[str, float]
"""What one round measured, by name: `rate` (a second), `p50_ms`, …"""
Contender = Callable[[float], Measures]
"""Does its work for about so many seconds."""
Contenders = AbstractContextManager[Mapping[str, Contender]]


class Broken(Exception):
    """Something was fast and wrong: a gap, a lost receipt. The message says which."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table: a measure of ours, beside the best of its references.

    The target bounds the ratio of ours to the reference or, without one, the measure itself.
    """

    name: str
    ours: str
    """The contender that is ours."""
    reference: tuple[str, ...] = ()
    measure: str = "rate"
    unit: str = "/s"
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        """The target as the table shows it."""
        unit = "" if self.reference else self.unit
        if self.at_least is not None:
            return f"≥ {self.at_least:g}{unit}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}{unit}"

    @property
    def contenders(self) -> tuple[str, ...]:
        """Whoever must run for it."""
        return (self.ours, *self.reference)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Figures that share contenders. A module of this package has one, called `GROUP`."""

    figures: tuple[Figure, ...]
    open: Callable[[Bench, frozenset[str]], Contenders]
    """Makes what the named contenders need, and clears it away. Raises `Broken` at its end
    when what they wrote does not hold."""
    rounds: int | None = None
    """Rounds of a group that is too long, or too steady, for the usual number."""
    warm_up: bool = True


@dataclass(frozen=True)
class Spread:
    """A contender's measure over the rounds."""

    contender: str
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """A figure as it was measured."""

    figure: Figure
    ours: Spread
    reference: Spread | None

    @property
    def ratio(self) -> float | None:
        """Ours in terms of the reference; None without one."""
        return self.ours.median / self.reference.median if self.reference else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None when there is none."""
        judged = self.ours.median if self.ratio is None else self.ratio
        if self.figure.at_least is not None:
            return judged >= self.figure.at_least
        return None if self.figure.at_most is None else judged <= self.figure.at_most


@dataclass
class Outcome:
    """What came of a group."""

    rounds: dict[str, list[Measures]] = field(default_factory=dict)
    """Every round's raw numbers, by contender."""
    results: list[Result] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    """Why what was written does not hold, by figure."""

    def as_json(self) -> dict[str, Any]:
        """Return it as it is written to the file."""
        return {
            "figures": [_result_json(result) for result in self.results],
            "rounds": self.rounds,
            "broken": self.broken,
        }


def run(group: Group, figures: Sequence[Figure], bench: Bench) -> Outcome:
    """Measure the figures: in each round every contender once, so that noise meets all alike."""
    names = dict.fromkeys(name for figure in figures for name in figure.contenders)
    outcome = Outcome({name: [] for name in names})
    try:
        with group.open(bench, frozenset(names)) as contenders:
            if group.warm_up:
                for name in names:
                    contenders[name](bench.warm_up_s)
            for number in range(group.rounds or bench.rounds):
                for name in names:
                    bench.settle()
                    bench.say(f"round {number + 1}: {name}")
                    outcome.rounds[name].append(contenders[name](bench.seconds))
    except Broken as broken:
        outcome.broken = {figure.name: str(broken) for figure in figures}
    else:
        outcome.results = [_result(figure, outcome.rounds) for figure in figures]
    return outcome


def _result(figure: Figure, rounds: Mapping[str, list[Measures]]) -> Result:
    def spread(name: str) -> Spread:
        values = [measures[figure.measure] for measures in rounds[name]]
        return Spread(name, statistics.median(values), min(values), max(values))

    references = sorted(map(spread, figure.reference), key=lambda one: one.median)
    # The best one: the highest rate, or the least delay.
    best = references[0 if figure.at_most is not None else -1] if references else None
    return Result(figure, spread(figure.ours), best)


def _result_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.figure.name,
        "measure": result.figure.measure,
        "unit": result.figure.unit.strip(),
        "ours": vars(result.ours),
        "reference": vars(result.reference) if result.reference else None,
        "ratio": result.ratio,
        "target": {"at_least": result.figure.at_least, "at_most": result.figure.at_most},
        "met": result.met,
    }
