"""Facts and states as they may be shown: what is marked as a secret is empty."""

import hashlib
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from domain import SECRET

S = TypeVar("S", bound=msgspec.Struct)

SHOWN_DIGITS = 8
"""Hexadecimal digits of a secret's digest: enough to tell two apart, too few to find one by."""


@cache
def secrets_of(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the names of the fields that are marked `Secret`, of the struct itself."""
    found: Any = inspect.type_info(kind)
    return tuple(field.name for field in found.fields if is_secret(field.type))


def is_secret(kind: Any) -> bool:
    """Tell whether a field's type, as msgspec tells it, is marked so."""
    return isinstance(kind, inspect.Metadata) and SECRET.items() <= (kind.extra or {}).items()


def veiled(thing: S) -> S:
    """Return a fact or a state without its secrets."""
    secrets = secrets_of(type(thing))
    return msgspec.structs.replace(thing, **dict.fromkeys(secrets, "")) if secrets else thing


def told_apart(thing: S) -> S:
    """Return a fact or a state with a short digest in place of each secret that it has."""
    secrets = {name: getattr(thing, name) for name in secrets_of(type(thing))}
    digests = {name: _digest(str(secret)) for name, secret in secrets.items() if secret}
    return msgspec.structs.replace(thing, **digests) if digests else thing


def _digest(secret: str) -> str:
    return f"(secret, {hashlib.sha256(secret.encode()).hexdigest()[:SHOWN_DIGITS]})"
