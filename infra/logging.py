"""The program's own log lines: readable in a terminal, JSON otherwise.

Lines tell what happened to which ids, never the values of commands, facts or rows: those may be
personal. So an error is told by its type, its first line and the places it came through; the
lines below the first are where pydantic and databases repeat values.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from infra.settings import Settings

MAX_CAUSES = 5
"""Errors told of one chain of causes."""

_level = structlog.processors.add_log_level
_encode = msgspec.json.Encoder(enc_hook=repr).encode


def configure(settings: Settings) -> None:
    """Set up structlog for the process; lines go to stderr, so that output stays clean."""
    terminal = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    processors: list[Processor] = (
        [_level, _stamp, _tell_error, _spell_ids, structlog.dev.ConsoleRenderer()]
        if terminal
        else [_json]
    )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=_Stderr()),  # type: ignore[arg-type]
        # Loggers live as long as their modules: kept ones would not hear of another setting.
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    if not any(isinstance(handler, _Passed) for handler in root.handlers):
        root.addHandler(_Passed(logging.WARNING))


class _Stderr:
    """Whatever stderr is when a line is written."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Python's stderr writes each line out by itself."""


class _Passed(logging.Handler):
    """Passes the warnings of libraries on, so that they have the form of all other lines."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().partition("\n")[0]
        structlog.get_logger().log(
            record.levelno, message, library=record.name, exc_info=record.exc_info
        )


def _stamp(_logger: Any, _method: str, line: EventDict) -> EventDict:
    line["timestamp"] = f"{datetime.now(UTC).replace(tzinfo=None).isoformat()}Z"
    return line


def _spell_ids(_logger: Any, _method: str, line: EventDict) -> EventDict:
    for name, value in line.items():
        if isinstance(value, UUID):
            line[name] = str(value)
    return line


def _json(logger: Any, method: str, line: EventDict) -> str:
    # In one step, and ids and times are spelt by the encoder: there is a line for each command,
    # and at the pace of commands the steps of the console cost as much as deciding them.
    _level(logger, method, line)
    line["timestamp"] = datetime.now(UTC)
    if "exc_info" in line:
        _tell_error(logger, method, line)
    return _encode(line).decode()


def _tell_error(_logger: Any, _method: str, line: EventDict) -> EventDict:
    given = line.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        line["exception"] = "\n".join(told(error))
    return line


def told(error: BaseException) -> list[str]:
    """Return an error and its causes in lines that hold no values."""
    lines: list[str] = []
    following: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if following is None:
            break
        first = str(following).strip().partition("\n")[0]
        lines.append(f"{type(following).__name__}: {first}")
        frames = traceback.extract_tb(following.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)
    return lines
