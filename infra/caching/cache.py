"""Answers of queries by key: kept in this process, and in Redis for all of them.

Each time one is asked for, the store says where the projection is (once for all who ask at that
moment), and an answer is given again only where it is certain that the store would give the same:
it was read under the same token, and no fact since then concerns its key. So it is never older
than what the store would say, whichever process has read it, and however far readers are.
"""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncConnection

from infra.caching.entries import MAX_BYTES, Row, name_of, opened, packed, sealed, unpacked
from infra.caching.looking import Latest, Look
from infra.caching.memory import Entry, Memory, Name
from infra.caching.stamps import Stamp, Stamps
from infra.caching.window import Window
from infra.log.port import CorruptFact
from infra.log.tail import Tail
from infra.redis import Away, Link
from projections import Kept

LOOK_BACK = 2_000
"""Facts before the first question that are looked at: for what others have kept in Redis. Who has
missed more than these forgets what it knows."""
PAGE = 500
"""Facts read at once."""
MAX_SEALED = 2 * MAX_BYTES
"""Bytes that are taken from Redis for an entry, whatever it has."""
LIFE_S = 3_600
"""How long an entry stays in Redis; one of no use any more is not looked for."""
USE = "cache"

Observe = Callable[[str, str, str], None]
"""Called with query, level and result.

In memory: hit, miss, off (other code has changed the rows). In Redis: hit, miss, old (not known to
be right any more), forged (not what was put there), away.
"""


class Cache:
    """What is kept of one projection."""

    def __init__(
        self,
        stamps: Stamps,
        look: Look,
        window: Window,
        tail: Tail,
        memory: Memory,
        link: Link | None,
        prefix: str,
        observe: Observe,
    ) -> None:
        self._stamps = stamps
        self._look = look
        self._window = window
        self._tail = tail
        self._memory = memory
        self._link = link
        self._prefix = prefix
        self._observe = observe
        self._token: bytes | None = None
        """Of the projection as it was seen last; None while nothing is kept."""
        self._latest = Latest(self._see)

    async def find(self, kept: Kept) -> Row | None:
        """Return the row that the store has now; None when it must be asked for it.

        Raises `Unavailable`.
        """
        await self._latest.get()
        row = self._in_memory(kept)
        if row is None and self._token is not None and self._link is not None:
            row = await self._in_redis(self._link, self._token, kept)
        return row

    async def stamp(self, connection: AsyncConnection) -> Stamp | None:
        """Return what holds for a row that is read in the same transaction."""
        return await self._stamps.within(connection)

    async def keep(self, kept: Kept, row: Row, stamp: Stamp | None) -> None:
        """Keep a row that was read, in both levels."""
        if stamp is None or stamp.code != self._stamps.code:
            return
        data = packed(row)
        if data is None:
            return
        self._memory.put(_name(kept), Entry(stamp.token, stamp.place, data))
        if self._link is not None:
            name = name_of(self._prefix, stamp.token, kept.query, kept.key)
            entry = sealed(name, stamp.token, stamp.place, data)
            client = self._link.client
            with suppress(Away):  # it is read again then
                await self._link.call(USE, lambda: client.set(name, entry, ex=LIFE_S))

    async def close(self) -> None:
        """Release what is held."""
        await self._latest.close()
        await self._look.close()

    def _in_memory(self, kept: Kept) -> Row | None:
        # The window may be further than it was when asked: what it holds is newer then, or gone.
        name = _name(kept)
        entry = self._memory.get(name)
        if self._token is None:
            self._observe(kept.query, "memory", "off")
            return None
        if entry is None or not self._holds(self._token, kept, entry):
            self._observe(kept.query, "memory", "miss")
            return None
        if (place := self._window.place) is not None and place != entry.place:
            self._memory.put(name, entry._replace(place=place))  # the same there: known for longer
        self._observe(kept.query, "memory", "hit")
        return unpacked(entry.data)

    def _holds(self, token: bytes, kept: Kept, entry: Entry) -> bool:
        return entry.token == token and self._window.holds(kept.key, entry.place)

    async def _in_redis(self, link: Link, token: bytes, kept: Kept) -> Row | None:
        name = name_of(self._prefix, token, kept.query, kept.key)
        result, row = "away", None
        with suppress(Away):
            # As a range, so that a huge value is not fetched.
            found = await link.call(USE, lambda: link.client.getrange(name, 0, MAX_SEALED))
            result, row = self._checked(name, token, kept, found)
        self._observe(kept.query, "redis", result)
        return row

    def _checked(
        self, name: str, token: bytes, kept: Kept, found: object
    ) -> tuple[str, Row | None]:
        """Return what is to be made of something that Redis has answered."""
        if found == b"":
            return "miss", None
        sealed_in = opened(name, token, found) if isinstance(found, bytes) else None
        if sealed_in is None:
            return "forged", None
        entry = Entry(token, *sealed_in)
        if token != self._token or not self._holds(token, kept, entry):
            return "old", None
        self._memory.put(_name(kept), entry)
        return "hit", unpacked(entry.data)

    async def _see(self) -> None:
        """See where the projection is, and what has happened since it was seen last."""
        window = self._window
        stamp = await self._look(window.position)
        if stamp is None or stamp.code != self._stamps.code:
            self._token = None
            return
        known, here = window.place, stamp.place
        if known is not None and stamp.before != known.mark:
            window.restart(*here)  # a database that was restored: all that is known may be wrong
        elif known is None or here.position - known.position > LOOK_BACK:
            window.restart(max(0, here.position - LOOK_BACK))
        if window.position < here.position:
            self._token = None  # meanwhile nothing is certain
            with suppress(CorruptFact):
                await self._follow(here.position)
        if window.place != here:
            window.restart(*here)  # what came before is not known, or was of another history
        self._token = stamp.token

    async def _follow(self, position: int) -> None:
        window = self._window
        while left := position - window.position:
            facts = await self._tail.read(window.position, min(left, PAGE))
            if not facts:
                return
            window.take(facts)


def _name(kept: Kept) -> Name:
    return kept.query, kept.key
