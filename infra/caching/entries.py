"""Entries: kept answers as bytes, and sealed ones, for where others could read or change them."""

from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from infra.caching.stamps import Place

MAX_BYTES = 64 * 1024
"""Of an entry; a larger answer is not kept."""
_UUID = 1

Row = dict[str, Any]


class _Sealed(msgspec.Struct, array_like=True):
    position: int
    mark: bytes
    row: bytes


def packed(row: Row) -> bytes | None:
    """Return a row as bytes; None when it would not come back from them as it is."""
    plain = {
        name: msgspec.msgpack.Ext(_UUID, value.bytes) if isinstance(value, UUID) else value
        for name, value in row.items()
    }
    try:
        data = msgspec.msgpack.encode(plain)
        same = len(data) <= MAX_BYTES and unpacked(data) == row
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        return None
    return data if same else None


def unpacked(data: bytes) -> Row:
    """Return the row; `data` is what `packed` made."""
    row: Row = msgspec.msgpack.decode(data, type=dict, ext_hook=_known)
    return row


def _known(code: int, data: memoryview) -> UUID:
    if code != _UUID:
        raise ValueError(f"no value has the code {code}")
    return UUID(bytes=bytes(data))


def name_of(prefix: str, token: bytes, query: str, key: UUID) -> str:
    """Return the name of an entry in Redis: another one under another token."""
    era = blake2b(b"name", key=token, digest_size=8).hexdigest()
    return f"{prefix}:cache:{era}:{query}:{key}"


def sealed(name: str, token: bytes, place: Place, data: bytes) -> bytes:
    """Return an entry that only who knows the token can make or read, good for its name only."""
    body = msgspec.msgpack.encode(_Sealed(place.position, place.mark, data))
    # RFC 5297: it needs no number used once, of which a long-lived token could meet one again.
    return AESSIV(token).encrypt(body, [name.encode()])


def opened(name: str, token: bytes, entry: bytes) -> tuple[Place, bytes] | None:
    """Return what was sealed; None for anything else."""
    try:
        body = AESSIV(token).decrypt(entry, [name.encode()])
    except (InvalidTag, ValueError):
        return None
    found = msgspec.msgpack.decode(body, type=_Sealed)
    return Place(found.position, found.mark), found.row
