"""Checks a table of every state against every command: which facts follow, or which refusal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain import Event, Refused, State

Command = Callable[[Any], list[Event]]


def outcome(state: State, command: Command) -> str:
    """Return the names of the facts that follow, `-` for none, or the refusal's code."""
    try:
        facts = command(state)
    except Refused as refusal:
        return refusal.code
    return " ".join(type(fact).__name__ for fact in facts) or "-"


def check(
    table: str,
    initial: State,
    histories: Mapping[str, Sequence[Event]],
    commands: Mapping[str, Command],
    *,
    repeatable: frozenset[str] = frozenset(),
) -> None:
    """Compare a table: a row per command, a column per state, whose history is given.

    A command that was accepted is asked again of the state it leads to, and must be inert then,
    unless it is `repeatable`.
    """
    head, *rows = [[cell.strip() for cell in row.split("|")] for row in table.strip().splitlines()]
    assert set(head[1:]) == set(histories), "the table must have a column for every state"
    assert [row[0] for row in rows] == list(commands), "and a row for every command, in order"
    for name, *expected in rows:
        command = commands[name]
        for status, wanted in zip(head[1:], expected, strict=True):
            state = initial.fold(histories[status])
            found = outcome(state, command)
            assert found == wanted, f"{name} when {status}: {found}"
            if found[0].isupper() and name not in repeatable:
                again = outcome(state.fold(command(state)), command)
                assert again == "-", f"{name} when {status}, twice: {again}"
