"""Ids that follow from a name: of external accounts, number claims, risks."""

from uuid import UUID, uuid5

VERSION = 8
"""The UUID version of derived ids, for makers of their own (RFC 9562).

Anybody can compute them. Version 5 is what callers derive their own ids with; so that nobody puts
an account or a transfer where, say, the cash account is about to be, ours are told apart.
"""


def derived_id(namespace: UUID, name: str) -> UUID:
    """Return the id that `name` always has in `namespace`."""
    id = uuid5(namespace, name).int
    return UUID(int=id & ~(0xF << 76) | VERSION << 76)


def is_derived(id: UUID) -> bool:
    """Tell whether the id is one that follows from a name."""
    return id.version == VERSION
