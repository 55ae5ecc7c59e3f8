"""Steps of a process: only the process itself takes them."""

from domain import Forbidden

PROCESS = "saga:"
"""What the names of processes begin with, as actors."""


class ProcessOnly(Forbidden, code="process_only"):
    """The command is a step of a process. Sent by anybody else it could make or lose money."""


def is_process(actor: str) -> bool:
    """Tell whether the actor is a process, not a person or a service."""
    return actor.startswith(PROCESS)


def require_process(actor: str) -> None:
    """Raise `ProcessOnly` unless a process asks."""
    if not is_process(actor):
        raise ProcessOnly(f"{actor} is no process; request the transfer or the hold instead")
