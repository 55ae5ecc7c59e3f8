"""Readers' moves: output and new position in one transaction, many readers' together."""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, Protocol, runtime_checkable

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.aside.parking import Overtaken, Parked, Write, parked_of
from infra.database import Database, driver_of
from infra.log.port import Unavailable

__all__ = ["Asking", "Move", "Moves", "Overtaken", "Write", "positions_of", "raise_epoch"]


@runtime_checkable
class Asking(Protocol):
    """A `Write` that needs to look up rows first."""

    async def ask(self, connection: AsyncConnection) -> None:
        """Send its questions; the answers to several of these come at once."""
        ...


class Move(NamedTuple):
    """A reader's step from one position to another, with what it writes."""

    reader: str
    before: int
    after: int
    write: Write
    epoch: int = 0
    """How often parked facts of it were let go, as far as it knows."""


@cache
def positions_of(context: str) -> Table:
    """Return the table of readers' positions of a context."""
    return Table(
        "readers",
        MetaData(),
        Column("name", Text, primary_key=True),
        Column("position", BigInteger),
        Column("epoch", BigInteger),
        schema=context,
    )


async def raise_epoch(connection: AsyncConnection, home: str, reader: str) -> None:
    """Let no worker move a reader before it has looked again where that is, and what is parked."""
    table = positions_of(home)
    later = update(table).where(table.c.name == reader).values(epoch=table.c.epoch + 1)
    await connection.execute(later)


class _Unmoved(Exception):
    """A reader is not where its move begins; which one is found out step by step."""


class _Waiting(NamedTuple):
    move: Move
    done: asyncio.Future[None]


class Moves:
    """The queue before the positions of one context's readers.

    Readers that follow closely are ready at the same moment: a transaction for each of them would
    cost more than their work. No timer: who comes while one is written goes in the next one.
    """

    def __init__(self, database: Database, home: str) -> None:
        self.home = home
        self._database = database
        self._waiting: list[_Waiting] = []
        """At most one for each reader."""
        self._task: asyncio.Task[None] | None = None
        self._pipeline = not database.is_sqlite
        table = positions_of(home)
        parked = parked_of(home)
        self._all = select(table.c.name, table.c.position, table.c.epoch)
        self._parked = select(parked.c.reader, parked.c.key, func.count().label("facts")).group_by(
            parked.c.reader, parked.c.key
        )
        # Whoever holds a row is moving it, or compares it with a rebuild: the others do not wait.
        named = self._all.where(table.c.name.in_(bindparam("names", expanding=True)))
        self._held = named.with_for_update(skip_locked=True)
        self._move = (
            update(table)
            .where(table.c.name.in_(bindparam("names", expanding=True)))
            .values(position=bindparam("after"))
        )
        self._compare_and_set = f"""
            UPDATE {home}.readers SET position = %s WHERE name IN (
                SELECT name FROM {home}.readers
                WHERE name = ANY(%s) AND position = %s AND epoch = %s FOR UPDATE SKIP LOCKED
            ) RETURNING name
        """.encode()
        dialect = sqlite if database.is_sqlite else postgresql
        self._start = dialect.insert(table).on_conflict_do_nothing().returning(table.c.name)

    async def places(self) -> dict[str, Parked]:
        """Return where each reader stands and what it has parked; no entry if it never moved."""
        keys: dict[str, dict[str, int]] = {}
        async with self._database.read() as connection:  # all of one moment
            for reader, key, facts in (await connection.execute(self._parked)).all():
                keys.setdefault(reader, {})[key] = facts
            found = (await connection.execute(self._all)).all()
        return {row.name: Parked(row.position, row.epoch, keys.get(row.name, {})) for row in found}

    async def together(self, move: Move) -> None:
        """Make a move, with those of others that are ready. Raises as `alone`.

        A fault in one does not stop the others.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(move, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain(), name=f"{self.home}-moves")
        await done

    async def alone(self, move: Move) -> None:
        """Make a move in a transaction of its own.

        Raises `Overtaken`, or what its `write` raises; nothing is written then.
        """
        if move.reader in await self._commit([move]):
            raise _overtaken(move)

    async def close(self) -> None:
        """Break off what is being written: it is undone, and done again later."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for one in self._waiting:
            one.done.cancel()

    async def _drain(self) -> None:
        ready: list[_Waiting] = []
        try:
            while self._waiting:
                # Those who have just moved may be ready again at once: they go with those who
                # waited, or the two would take turns for ever.
                await asyncio.sleep(0)
                # Whoever was cancelled meanwhile wants nothing written any more.
                ready = [one for one in self._waiting if not one.done.done()]
                self._waiting = []
                await self._make(ready)
        except BaseException:
            for one in (*ready, *self._waiting):
                _settle(one.done, Unavailable("the move was broken off"))
            self._waiting = []
            raise

    async def _make(self, ready: Sequence[_Waiting]) -> None:
        if not ready:
            return
        moves = [one.move for one in ready]
        try:
            sent = self._pipeline and await self._sent(moves)
            overtaken = set() if sent else await self._commit(moves)
        except Exception as error:  # noqa: BLE001 - it is raised where the move was asked for
            if len(ready) > 1 and not isinstance(error, Unavailable):
                for one in ready:  # each for itself: the others have no part in it
                    await self._make([one])
                return
            for one in ready:
                _settle(one.done, error)
        else:
            for one in ready:
                _settle(one.done, _overtaken(one.move) if one.move.reader in overtaken else None)

    async def _sent(self, moves: Sequence[Move]) -> bool:
        """Write the moves in one pipeline, or nothing when that does not go smoothly."""
        places: dict[tuple[int, int, int], list[str]] = {}
        for move in moves:
            places.setdefault((move.before, move.epoch, move.after), []).append(move.reader)
        try:
            async with self._database.pipelined() as connection:
                driver = driver_of(connection)
                moved = [
                    await driver.execute(self._compare_and_set, [after, names, before, epoch])
                    for (before, epoch, after), names in places.items()
                ]
                for move in moves:
                    if isinstance(move.write, Asking):
                        await move.write.ask(connection)
                if sum([len(await cursor.fetchall()) for cursor in moved]) != len(moves):
                    raise _Unmoved
                for move in moves:
                    await move.write(connection)
        except Unavailable:
            raise
        except _Unmoved:
            return False
        except Exception:
            if len(moves) > 1:
                raise
            return False  # done again step by step, where it is raised at its statement
        return True

    async def _commit(self, moves: Sequence[Move]) -> set[str]:
        """Write the moves in one transaction; return the readers that others have moved."""
        async with self._database.write() as connection:
            # First of all, so that who comes late learns it before writing anything.
            overtaken = await self._advance(connection, moves)
            for move in moves:
                if move.reader not in overtaken:
                    await move.write(connection)
        return overtaken

    async def _advance(self, connection: AsyncConnection, moves: Sequence[Move]) -> set[str]:
        # Compare and set: a worker that was away and comes back late writes nothing.
        names = [move.reader for move in moves]
        held = await connection.execute(self._held, {"names": names})
        stored = {row.name: (row.position, row.epoch) for row in held}
        overtaken = set()
        places: dict[int, list[str]] = {}
        for move in sorted(moves, key=lambda move: move.reader):  # two workers in one order
            if stored.get(move.reader) == (move.before, move.epoch):
                places.setdefault(move.after, []).append(move.reader)
            elif move.reader in stored or move.before > 0:
                overtaken.add(move.reader)
            else:
                values = {"name": move.reader, "position": move.after, "epoch": 0}
                if (await connection.execute(self._start, values)).first() is None:
                    overtaken.add(move.reader)
        for after, readers in places.items():
            await connection.execute(self._move, {"names": readers, "after": after})
        return overtaken


def _overtaken(move: Move) -> Overtaken:
    return Overtaken(f"{move.reader} is not to be moved from {move.before}: another worker has it")


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return  # nobody waits any more
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
