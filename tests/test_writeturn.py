"""Who may write to a SQLite file: one after the other, and appends together."""

import asyncio
from contextlib import AbstractAsyncContextManager

from infra.writeturn import WriteTurn

Turn = AbstractAsyncContextManager[None]


async def stay(turn: Turn, name: str, inside: list[str], leave: asyncio.Event) -> None:
    async with turn:
        inside.append(name)
        await leave.wait()
        inside.remove(name)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_appends_have_it_together_until_somebody_else_waits() -> None:
    async def body() -> None:
        turn, inside = WriteTurn(), list[str]()
        leave = {name: asyncio.Event() for name in ("one", "two", "reader", "three", "four")}
        tasks = []

        async def come(name: str) -> None:
            way = turn.alone() if name == "reader" else turn.together()
            tasks.append(asyncio.create_task(stay(way, name, inside, leave[name])))
            await settled()

        await come("one")
        await come("two")
        assert inside == ["one", "two"]
        await come("reader")
        await come("three")
        assert inside == ["one", "two"], "nobody overtakes who waits"
        leave["one"].set()
        await settled()
        assert inside == ["two"]
        leave["two"].set()
        await settled()
        assert inside == ["reader"]
        leave["reader"].set()
        await settled()
        assert inside == ["three"]
        await come("four")
        assert inside == ["three", "four"]
        leave["three"].set()
        leave["four"].set()
        await asyncio.gather(*tasks)

    asyncio.run(body())


def test_who_gives_up_waiting_stands_in_nobodys_way() -> None:
    async def body() -> None:
        turn, inside = WriteTurn(), list[str]()
        leave = asyncio.Event()
        first = asyncio.create_task(stay(turn.together(), "one", inside, leave))
        await settled()
        impatient = asyncio.create_task(stay(turn.alone(), "reader", inside, leave))
        await settled()
        impatient.cancel()
        await settled()
        second = asyncio.create_task(stay(turn.together(), "two", inside, leave))
        await settled()
        assert inside == ["one", "two"]
        leave.set()
        await asyncio.gather(first, second)
        async with turn.alone():
            assert inside == []

    asyncio.run(body())
