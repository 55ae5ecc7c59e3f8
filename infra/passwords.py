"""Hashes of passwords by Argon2id, made beside the event loop by a bounded number of threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import ClassVar, Self, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from commands.identity.password import Passwords
from infra.log.port import Busy
from infra.settings import Settings

T = TypeVar("T")

LANES = 1
THREADS = 2
MAX_WAITING = 64
"""Hashes that may be asked for at once, a second of two cores' work; more are told to wait."""


class Argon2:
    """Makes and checks hashes for the handlers."""

    PORT: ClassVar[type] = Passwords

    def __init__(self, memory_kib: int, passes: int) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=LANES)
        self._threads = ThreadPoolExecutor(THREADS, "passwords")
        self._waiting = 0

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return one that costs what is configured."""
        return cls(settings.password_memory_kib, settings.password_passes)

    async def hash(self, password: str) -> str:
        """Return a hash with a new salt. Raises `Busy`."""
        return await self._beside(lambda: self._hasher.hash(password))

    async def verify(self, password: str, hash: str) -> bool:
        """Tell whether the hash is one of the password; as slow for an empty one. Raises `Busy`."""

        def verified() -> bool:
            nobodys = self._nobodys  # made at the first check, of whomever that is
            try:
                return self._hasher.verify(hash or nobodys, password) and bool(hash)
            except (VerificationError, InvalidHashError):
                return False

        return await self._beside(verified)

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Busy(f"{MAX_WAITING} passwords are being checked here; try again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
