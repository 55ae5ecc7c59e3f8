"""Shows how far a long verb has come: a bar in a terminal, JSON lines on stderr otherwise."""

import json
import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli._program import err

LINE_EVERY_S = 1.0
"""How often a line is written where there is no terminal."""


class Meter:
    """Progress of one piece of work, counted in `unit`; shown until the `with` block ends."""

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._started = time.perf_counter()
        self._next_line = LINE_EVERY_S
        self._last: dict[str, object] = {}
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task(what, total=None, text="")

    def show(self, done: int, part: float | None = None, **figures: object) -> None:
        """Say that `done` units are done, which is `part` (0 to 1) of all, when that is known."""
        passed = time.perf_counter() - self._started
        rate = done / passed if passed else 0.0
        left = passed * (1 - part) / part if part else None
        self._last = {
            "progress": self._what,
            self._unit: done,
            "per_s": round(rate),
            "eta_s": None if left is None else round(left, 1),
            **figures,
        }
        words = [f"{done:,} {self._unit}", f"{rate:,.0f}/s"]
        words += [f"{left:,.0f} s left"] if left is not None else []
        words += [f"{name} {value:,}" for name, value in figures.items() if isinstance(value, int)]
        self._bar.update(
            self._task,
            total=1.0 if part is not None else None,
            completed=part or 0.0,
            text=", ".join(words),
        )
        if not err.is_terminal and passed >= self._next_line:
            self._next_line = passed + LINE_EVERY_S
            self._line()

    def _line(self) -> None:
        err.print(json.dumps(self._last), markup=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if not err.is_terminal and self._last:
            self._line()
