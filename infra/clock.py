"""The real time and real chance, behind the ports `Clock` and `Ids`."""

import secrets
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat

SECRET_BYTES = 32


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time now, in UTC."""
        return datetime.now(UTC)


class SystemIds:
    """Random identifiers."""

    def new(self) -> UUID:
        """Return a new UUIDv7."""
        return uuid_utils.compat.uuid7()

    def number(self, digits: int) -> int:
        """Return a random integer of at most `digits` decimal digits."""
        return secrets.randbelow(10**digits)

    def secret(self) -> str:
        """Return a new text of 256 random bits."""
        return secrets.token_urlsafe(SECRET_BYTES)
