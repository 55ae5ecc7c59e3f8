"""How two versions of the code differ in what comes of them over the same facts."""

from typing import Any

import msgspec

MAX_SHOWN = 20
"""Differences of one kind that are named; all are counted."""


class Sent(msgspec.Struct, frozen=True):
    """Under what a saga's command was sent, if it was."""

    saga: str
    command: str
    key: str


class Difference(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that the two versions do differently."""

    what: str
    """A row by its key, a stream, a fact, …"""
    now: Any
    """Of this program; None for nothing."""
    then: Any
    """Of the candidate."""
    sent: Sent | None = None
    """For a command that this program sends."""
    happened: str | None = None
    """What came of that command, by its receipt."""


class Part(msgspec.Struct):
    """What was compared of one kind, and how it differs."""

    name: str
    compared: int = 0
    differing: int = 0
    differences: list[Difference] = msgspec.field(default_factory=list)
    """The first ones."""

    def differ(self, what: str, now: Any, then: Any, sent: Sent | None = None) -> None:
        """Note a difference."""
        self.differing += 1
        if len(self.differences) < MAX_SHOWN:
            self.differences.append(Difference(what, now, then, sent))


class Outcome(msgspec.Struct):
    """How a candidate differs from the program that runs."""

    positions: dict[str, int]
    """The last fact of each log that both have seen."""
    projections: list[Part]
    states: list[Part]
    sagas: list[Part]
    decisions: list[Part]
    faults: list[Part]

    @property
    def parts(self) -> list[Part]:
        """All that was compared."""
        return [*self.projections, *self.states, *self.sagas, *self.decisions, *self.faults]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not any(part.differing for part in self.parts)
