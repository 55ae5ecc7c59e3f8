"""Rebuilds of long logs: the rate at five million facts beside that at half a million."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.bench.bench import Bench
from tests.bench.figures import Contender, Figure, Group, Measures
from tests.bench.history import fill
from tests.bench.ours import CONTEXT, opened
from tests.bench.rebuild import place, rebuilt

LONG, SHORT = "rebuild of a long log", "rebuild of a short log"
PROJECTIONS = ("banking.account", "banking.statement")


def _rebuilt(url: str, facts: int, _: float) -> Measures:
    return rebuilt(url, facts, *PROJECTIONS)


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    sizes = {
        LONG: bench.size("long_rebuilt_facts", 5_000_000, 40_000),
        SHORT: bench.size("short_rebuilt_facts", 500_000, 30_000),
    }
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        for name, facts in sizes.items():
            url = stack.enter_context(bench.database())
            with opened(url):
                fill(bench, url, CONTEXT, facts)
            place(url, CONTEXT, facts)
            contenders[name] = partial(_rebuilt, url, facts)
        yield contenders


GROUP = Group(
    figures=(
        Figure(name="rebuild-growth", ours=LONG, reference=(SHORT,), at_least=0.9),
        Figure(
            name="rebuild-growth-memory", ours=LONG, measure="megabytes", unit=" MB", at_most=300
        ),
    ),
    open=_open,
    rounds=1,  # minutes of steady work
    warm_up=False,
)
