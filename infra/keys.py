"""The keys that tokens are signed with: Ed25519, one file each, named for the key id."""

import os
import re
import time
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from commands import Clock

SUFFIX = ".pem"
KEYS = "[!.]*" + SUFFIX
MAX_KEYS = 20
"""Keys in a folder: the newest signs, tokens of the others are good until they run out."""
TICK_NS = 50_000_000
"""More than the coarsest clock that a file system keeps times by."""
KEY_ID = re.compile(r"[0-9]{8}T[0-9]{12}Z")
"""When a key was made, so that names sort by age."""


class NoKeys(Exception):
    """The folder of keys cannot be used; the message names it and says what to do."""


class Keys:
    """The keys of one folder, which all processes share; a change in it counts at once."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._seen: int | None = None
        """When the folder last changed, as it was read."""

    @property
    def newest(self) -> tuple[str, Ed25519PrivateKey]:
        """The id of the key that signs, and the key; the first is made. Raises `NoKeys`."""
        if not any(self.folder.glob(KEYS)):
            make_key(self.folder, self._clock.now())
        return next(reversed(self._now().items()))

    @property
    def ids(self) -> list[str]:
        """The ids of the keys, oldest first. Raises `NoKeys`."""
        return list(self._now())

    def has(self, id: str) -> bool:
        """Tell whether there is a key of this id."""
        return id in self._now()

    def public(self, id: str) -> Ed25519PublicKey | None:
        """Return the key that a signature is checked with; None for an unknown id."""
        key = self._now().get(id)
        return key.public_key() if key else None

    def _now(self) -> dict[str, Ed25519PrivateKey]:
        try:
            changed = self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise NoKeys(f"{self.folder} cannot be read: {error.strerror}") from error
        if changed != self._seen:
            self._keys = self._read()
            # What changes in the very tick that was read may look as if it had been read.
            self._seen = changed if time.time_ns() - changed > TICK_NS else None
        return self._keys

    def _read(self) -> dict[str, Ed25519PrivateKey]:
        names = sorted(path.stem for path in self.folder.glob(KEYS))
        if len(names) > MAX_KEYS:
            raise NoKeys(f"{len(names)} keys in {self.folder}, more than {MAX_KEYS}; remove some")
        return {name: self._load(name) for name in names}

    def _load(self, name: str) -> Ed25519PrivateKey:
        path = self.folder / (name + SUFFIX)
        if not KEY_ID.fullmatch(name):
            raise NoKeys(f"{path} is not named for a time, as `aorist keys --new` does; remove it")
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise NoKeys(f"{path} cannot be read as a key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise NoKeys(f"{path} is no Ed25519 key; make one with `aorist keys --new`")
        return key


def make_key(folder: Path, now: datetime) -> str:
    """Make a key, readable by its owner only; return its id."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    id = f"{now:%Y%m%dT%H%M%S%f}Z"
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    # Under another name first: whoever reads the folder meanwhile finds whole keys only.
    unfinished = folder / f".{id}"
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(folder / (id + SUFFIX))
    return id
