"""Processes that stop themselves in the middle of their work, until they are woken."""

import os
import signal
from pathlib import Path

from tests.log.crew import Member
from tests.scenario import until


def pause() -> None:
    """Stop this process here, as a machine that is overloaded would, until SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


async def paused(member: Member) -> None:
    """Wait until a process has stopped itself."""
    state = Path(f"/proc/{member.pid}/stat")
    await until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")


def wake(member: Member) -> None:
    """Let it go on."""
    member.signal(signal.SIGCONT)
