"""A candidate version of the features: found by folder or revision, and put beside this program."""

import asyncio
import io
import zipfile
from pathlib import Path

from infra.discovery import LAYERS

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the running program."""
OWN = "infra"
"""What runs the features is this program's, whatever the candidate brings."""
GIT_TIMEOUT_S = 60


class NoCandidate(LookupError):
    """There is no such code, or it is no version of this program; the message says why."""


async def layers_of(code: str, folder: Path) -> Path:
    """Return the folder with a candidate's layers.

    `code` is a folder that holds a checkout, or else a revision of the running checkout, which is
    written to `folder`. Raises `NoCandidate`.
    """
    if (found := _checkout(code)) is not None:
        return found
    archive = await _git("archive", "--format=zip", f"{code}^{{commit}}", "--", *LAYERS)
    if archive is None:
        raise NoCandidate(f"{code} is no folder, and no revision of the checkout in {ROOT}")
    with zipfile.ZipFile(io.BytesIO(archive)) as layers:
        layers.extractall(folder)
    return folder


def _checkout(code: str) -> Path | None:
    path = Path(code).expanduser()
    if not path.is_dir():
        return None
    missing = [layer for layer in LAYERS if not (path / layer).is_dir()]
    if missing:
        raise NoCandidate(f"{code} is no checkout: it has no folder {', '.join(missing)}")
    return path.resolve()


def house(layers: Path, folder: Path) -> Path:
    """Make a folder in which a candidate's layers stand beside this program's `infra`."""
    folder.mkdir()
    for layer in LAYERS:
        (folder / layer).symlink_to(layers / layer, target_is_directory=True)
    (folder / OWN).symlink_to(ROOT / OWN, target_is_directory=True)
    return folder


async def _git(*words: str) -> bytes | None:
    """Return what git prints about the running checkout; None when it refuses, or is not there."""
    try:
        process = await asyncio.create_subprocess_exec(
            *("git", "-C", str(ROOT), *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return None
    try:
        async with asyncio.timeout(GIT_TIMEOUT_S):
            out, _ = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return out if process.returncode == 0 else None
