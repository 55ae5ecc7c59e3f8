"""One walk of a context's watchers through a batch, with as much memory as it is about."""

import asyncio
from collections.abc import Iterator, MutableMapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from domain import Envelope, Place, Watcher
from infra.log.tail import Facts

MAX_KEYS = 10_000
"""Places whose names are kept in memory: to write an id takes as long as to look two up."""
SLICE = 10
"""Facts after which others have their turn."""

Value = int | str
Known = dict[tuple[str, str], Value | None]
"""By rule and key, what is kept there; None for nothing."""


class Breach(NamedTuple):
    """A fact that broke a rule."""

    rule: str
    at: Envelope
    sentence: str


class Walk:
    """One walk of fresh watchers through a batch."""

    def __init__(self, watchers: Sequence[Watcher], known: Known) -> None:
        self.breaches: list[Breach] = []
        self._watchers = watchers
        self._memories = [_Memory(watcher.name, known) for watcher in watchers]
        for watcher, memory in zip(watchers, self._memories, strict=True):
            watcher.memory = memory

    async def over(self, facts: Facts) -> None:
        """Let the watchers see the facts."""
        for number, (fact, at) in enumerate(facts, start=1):
            for watcher in self._watchers:
                watcher.see(at.stream, fact)
                if new := watcher.told():
                    self.breaches.append(Breach(watcher.name, at, "; ".join(new)))
            if number % SLICE == 0:
                await asyncio.sleep(0)

    @property
    def missing(self) -> set[tuple[str, str]]:
        """What was asked for and is not known yet: without it, the walk has no meaning."""
        return {(memory.rule, key) for memory in self._memories for key in memory.missing}

    def changes(self) -> Known:
        """Return what is to be kept, or, when None, forgotten."""
        return {
            (memory.rule, key): value
            for memory in self._memories
            for key, value in memory.changed.items()
        }


class _Memory(MutableMapping[Place, Value]):
    """What a watcher remembers, as far as it is at hand, and what it changes."""

    def __init__(self, rule: str, known: Known) -> None:
        self.rule = rule
        self.changed: dict[str, Value | None] = {}
        self.missing: set[str] = set()
        self._known = known

    def __getitem__(self, place: Place) -> Value:
        key = _key(place)
        if key in self.changed:
            value = self.changed[key]
        elif (self.rule, key) in self._known:
            value = self._known[self.rule, key]
        else:
            self.missing.add(key)
            value = None
        if value is None:
            raise KeyError(place)
        return value

    def __setitem__(self, place: Place, value: Value) -> None:
        self.changed[_key(place)] = value

    def __delitem__(self, place: Place) -> None:
        self.changed[_key(place)] = None

    def __iter__(self) -> Iterator[Place]:
        raise TypeError("a watcher asks for one place at a time; not all it remembers is at hand")

    def __len__(self) -> int:
        raise TypeError("a watcher asks for one place at a time; not all it remembers is at hand")


@lru_cache(MAX_KEYS)
def _key(place: Place) -> str:
    return ":".join(map(str, place))
