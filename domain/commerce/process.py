"""Who brings the answers of the outside world."""

from domain import ProcessOnly, is_process

ACQUIRER = "acquirer"
"""The actor that brings the acquirer's late answers."""


def require_acquirer(actor: str) -> None:
    """Raise `ProcessOnly` unless the acquirer answers, or a process for it."""
    if actor != ACQUIRER and not is_process(actor):
        raise ProcessOnly(f"{actor} is neither the acquirer nor a process")
