"""Where settings come from: a file, the environment, options; and what is wrong with them."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import SettingsError

from infra.secrecy import HIDDEN, is_secret, texts
from infra.settings import (
    CONFIG_VARIABLE,
    DEFAULT_FILE,
    ENV_PREFIX,
    OTHER_VARIABLES,
    Settings,
    WrongConfiguration,
)


def load(file: Path | None = None, **options: object) -> tuple[Settings, dict[str, str]]:
    """Return the settings, and for each one where its value came from.

    Raises `WrongConfiguration` for a file that cannot be read, an unknown name or a wrong value.
    """
    path = file or (Path(os.environ[CONFIG_VARIABLE]) if CONFIG_VARIABLE in os.environ else None)
    from_file = _read(path or DEFAULT_FILE, required=path is not None)
    given = {name: value for name, value in options.items() if value is not None}
    known = set(Settings.model_fields)
    for name in from_file.keys() - known:
        raise WrongConfiguration(f"{path or DEFAULT_FILE}: unknown setting {name!r}")
    for name in os.environ:
        setting = name.removeprefix(ENV_PREFIX).lower()
        if name.startswith(ENV_PREFIX) and setting not in known and name not in OTHER_VARIABLES:
            raise WrongConfiguration(f"environment: unknown setting {name}")
    sources = {
        name: (
            "option"
            if name in given
            else f"environment {ENV_PREFIX}{name.upper()}"
            if ENV_PREFIX + name.upper() in os.environ
            else f"file {path or DEFAULT_FILE}"
            if name in from_file
            else "default"
        )
        for name in Settings.model_fields
    }
    in_file = {k: v for k, v in from_file.items() if sources[k].startswith("file")}
    try:
        return Settings(**{**in_file, **given}), sources
    except ValidationError as wrong:
        problems = [
            f"{error['loc'][0]} (from {sources.get(str(error['loc'][0]), 'unknown')}): "
            + _said(error)
            for error in wrong.errors()
        ]
        raise WrongConfiguration("; ".join(problems)) from None  # which has the values
    except SettingsError as wrong:
        raise WrongConfiguration(f"environment: {wrong}; write it as JSON") from None


def _said(error: Any) -> str:
    """Return what is wrong with a value, and the value unless it is a secret."""
    said = str(error["msg"])
    if not is_secret(Settings, str(error["loc"][0])):
        return f"{said}, got {error['input']!r}"
    for text in texts(error["input"]):
        said = said.replace(text, HIDDEN)
    return said


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise WrongConfiguration(f"configuration file {path} does not exist") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise WrongConfiguration(f"configuration file {path} cannot be read: {error}") from error
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        # What it says repeats lines of the file, and there may be a password in one.
        mark = getattr(error, "problem_mark", None)
        place = f"; look at line {mark.line + 1}" if mark else ""
        raise WrongConfiguration(f"configuration file {path} is not YAML{place}") from None
    if not isinstance(content, dict):
        raise WrongConfiguration(f"configuration file {path} must map names to values")
    return content
