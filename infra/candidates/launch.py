"""The process that is started for each version of the features: loads it, runs it.

Nothing of this program is imported before it can be told what goes wrong with that.
"""

import gc
import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import NoReturn

LOADED_AT_ONCE = 50_000
"""Objects that loading makes before Python looks which of them are garbage."""


def main() -> None:
    """Run over what standard input says; a failure is the last line, `{"failed": …}`."""
    given = sys.stdin.buffer.read()
    gc.set_threshold(LOADED_AT_ONCE)  # Python would look for garbage all the while
    try:
        features = importlib.import_module("infra.discovery").discover()
        rerun = importlib.import_module("infra.candidates.rerun")
    except BaseException as error:  # noqa: BLE001 - whatever keeps it from loading is the answer
        reason = str(error).strip().partition("\n")[0]
        _fail(f"it cannot be loaded: {type(error).__name__}: {reason} ({_place(error)})")
    if failed := rerun.run(given, features, _tell):
        _fail(failed)


def _fail(reason: str) -> NoReturn:
    _tell({"failed": reason})
    raise SystemExit(1)


def _tell(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


def _place(error: BaseException) -> str:
    """Return where an error came from, in the code below the working folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename]
    return f"{_short(own[-1].filename)}, line {own[-1].lineno}"


def _short(name: str) -> str:
    path = Path(name)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else name


if __name__ == "__main__":
    main()
