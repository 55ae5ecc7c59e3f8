"""Steps of a process: only the process itself takes them."""

from domain import Forbidden

PROCESS = "saga:"
"""What the names of processes begin with, as actors."""
ACQUIRER = "acquirer"
"""The actor that brings the acquirer's late answers."""


class ProcessOnly(Forbidden, code="process_only"):
    """The command is a step of a process. Sent by anybody else it could lose money or stock."""


def require_process(actor: str) -> None:
    """Raise `ProcessOnly` unless a process asks."""
    if not actor.startswith(PROCESS):
        raise ProcessOnly(f"{actor} is no process; place or cancel an order instead")


def require_acquirer(actor: str) -> None:
    """Raise `ProcessOnly` unless the acquirer answers, or a process for it."""
    if actor != ACQUIRER:
        require_process(actor)
