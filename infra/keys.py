"""The keys that tokens are signed with: Ed25519, one file each, named for the key id."""

import os
import re
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

SUFFIX = ".pem"
MAX_KEYS = 20
"""Keys in a folder: the newest signs, tokens of the others are good until they run out."""
KEY_ID = re.compile(r"[0-9]{8}T[0-9]{12}Z")
"""When a key was made, so that names sort by age."""


class NoKeys(Exception):
    """The folder of keys cannot be used; the message names it and says what to do."""


class Keys:
    """The keys of one folder, as they were when it was read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self.read()

    def read(self) -> None:
        """Read the folder again: another process may have made a key. Raises `NoKeys`."""
        names = sorted(path.stem for path in self.folder.glob(f"*{SUFFIX}"))
        if not names:
            raise NoKeys(f"no key in {self.folder}; make one with `aorist keys new`")
        if len(names) > MAX_KEYS:
            raise NoKeys(f"{len(names)} keys in {self.folder}, more than {MAX_KEYS}; remove some")
        self._keys = {name: self._load(name) for name in names}

    @property
    def newest(self) -> tuple[str, Ed25519PrivateKey]:
        """The id of the key that signs, and the key."""
        return next(reversed(self._keys.items()))

    def public(self, id: str) -> Ed25519PublicKey | None:
        """Return the key that a signature is checked with; None for an unknown id."""
        key = self._keys.get(id)
        return key.public_key() if key else None

    def _load(self, name: str) -> Ed25519PrivateKey:
        path = self.folder / (name + SUFFIX)
        if not KEY_ID.fullmatch(name):
            raise NoKeys(f"{path} is not named for a time, as `aorist keys new` does; remove it")
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise NoKeys(f"{path} cannot be read as a key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise NoKeys(f"{path} is no Ed25519 key; make one with `aorist keys new`")
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
