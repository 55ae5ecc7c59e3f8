"""How often Python looks for garbage in cycles.

A command leaves hardly any, and makes some fifty objects that Python counts: by its own measure
it would look after every dozen commands, and now and then through everything there is, for as
long as a tenth of a second in which nobody is answered.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 50)
"""Objects made since the last look at the youngest; looks at those for one at the older ones."""


def load_quickly() -> None:
    """Let Python look for garbage rarely while modules are loaded, which leave none.

    By its own measure it takes a fifth of the time that a verb takes to begin.
    """
    gc.set_threshold(*THRESHOLDS)


def look_rarely() -> None:
    """Let Python look for garbage rarely, and never through what is there already."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def paused() -> Iterator[None]:
    """Let Python not look at all: for bulk work whose objects are many and have no cycles."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
