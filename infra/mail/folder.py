"""Letters as files in a folder, for development and for one machine without a mail server."""

import asyncio
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import structlog

from commands.identity.letter import Answer, Mail, Outcome
from infra.mail.letters import Writing

MAX_KEPT = 1_000
"""Letters in the folder; the oldest go first."""
SUFFIX = ".eml"

log = structlog.get_logger("aorist.mail")


class Folder:
    """Puts each letter into a file that mail programs open, readable by its owner only."""

    PORT: ClassVar[type] = Mail

    def __init__(self, folder: Path, writing: Writing) -> None:
        self._folder = folder
        self._writing = writing

    async def send(self, to: str, purpose: str, token: str) -> Answer:
        """Write the letter."""
        try:
            letter = self._writing.letter(to, purpose, token).as_bytes()
            await asyncio.to_thread(self._write, letter)
        except ValueError as error:
            return Answer(Outcome.REFUSED, type(error).__name__)
        except OSError as error:
            log.warning("letter not written", folder=str(self._folder), error=error.strerror)
            return Answer(Outcome.AWAY, type(error).__name__)
        return Answer(Outcome.SENT)

    def _write(self, letter: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(4)}"
        unfinished = self._folder / f".{name}"
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(letter)
        unfinished.rename(self._folder / f"{name}{SUFFIX}")
        for old in sorted(self._folder.glob(f"[!.]*{SUFFIX}"))[:-MAX_KEPT]:
            old.unlink(missing_ok=True)
