"""A connection is cut at an append: what became of it is found out, never guessed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from psycopg_pool.base import AttemptWithBackoff

from infra.dispatch import Answer, Meta
from infra.log.group import MAX_TRIES
from infra.log.port import Accepted, Encoded, Repeated, Stale, Unavailable
from infra.moves import Overtaken
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.log.appends import A, B, C, append, fact
from tests.log.held import held
from tests.log.load import ANN, Told
from tests.log.points import HELD_UP, IN_CALL
from tests.log.proxy import Fate, Proxy, proxy
from tests.log.verify import violations
from tests.probe.features import FEATURES
from tests.probe.job import EndJob, PushJob, StartJob
from tests.probe.rows import all_jobs
from tests.stores import Stores
from tests.test_readers import reader_of

CUTS = [fate for fate in Fate if fate is not Fate.PASSED]


class Cut:
    """A system whose connections lead through a proxy, with one job started."""

    def __init__(self, system: System, proxy: Proxy, settings: Settings) -> None:
        self.system = system
        self.store = system.logs["probe"].store
        self.proxy = proxy
        self.settings = settings
        """These lead to the server without the proxy."""
        self.told: list[Told] = []

    async def push(self, key: str) -> Answer:
        """Push the job; the key is the note."""
        answer = await self.system.dispatch(PushJob(job_id=A, note=key), ANN, Meta(key=key))
        receipt = answer.receipt
        self.told.append(Told(key, "accepted", receipt.position, receipt.stream, receipt.version))
        return answer


Test = Callable[[Cut], Awaitable[None]]


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Cut]:
    async with proxy(settings.database_url) as (between, url):
        through = settings.model_copy(update={"database_url": url})
        system = await open_system(through, features=FEATURES)
        try:
            yield Cut(system, between, settings)
        finally:
            await system.close()


@pytest.fixture
def cut(all_stores: Stores) -> Callable[..., None]:
    """Run a test with a system behind a proxy; then see that the log is sound."""

    def run(test: Test, **changes: int) -> None:
        settings = all_stores.settings("postgres").model_copy(update=changes)

        async def body() -> None:
            async with asyncio.timeout(30), opened(settings) as cut:
                await cut.system.dispatch(StartJob(job_id=A, name="dig"), ANN)
                await test(cut)
                await cut.proxy.deliver()
                assert cut.proxy.left == []
                assert await violations(cut.store, cut.told) == []

        asyncio.run(body())

    return run


@pytest.mark.parametrize("times", range(1, MAX_TRIES))
@pytest.mark.parametrize("fate", CUTS)
def test_a_cut_is_not_heard_of_when_a_later_try_gets_through(cut, fate: Fate, times: int) -> None:
    async def body(cut: Cut) -> None:
        cut.proxy.next(*[fate] * times)
        answer = await cut.push("k")
        assert (answer.receipt.version, answer.receipt.position, answer.replayed) == (2, 2, False)
        await cut.proxy.deliver()
        assert await cut.store.head() == 2

    cut(body)


@pytest.mark.parametrize("fate", CUTS)
def test_when_no_try_gets_through_the_key_tells_later(cut, fate: Fate) -> None:
    async def body(cut: Cut) -> None:
        cut.proxy.next(*[fate] * MAX_TRIES)
        with pytest.raises(Unavailable):
            await cut.push("k")
        answer = await cut.push("k")
        assert (answer.receipt.version, answer.receipt.position) == (2, 2)
        if fate is not Fate.RUNNING:  # whoever comes first writes it, this one or that
            assert answer.replayed == (fate is Fate.UNANSWERED)
        await cut.proxy.deliver()
        assert (await cut.push("k")).replayed
        assert await cut.store.head() == 2

    cut(body)


def test_a_statement_that_goes_on_running_is_waited_for_by_its_retry(cut) -> None:
    async def body(cut: Cut) -> None:
        async with held(cut.settings.database_url, HELD_UP[IN_CALL]) as lock:
            cut.proxy.next(Fate.RUNNING)
            push = asyncio.create_task(cut.push("k"))
            await lock.waiting(2)
            assert not push.done()
            await lock.release()
            assert (await push).receipt.version == 2
        assert await cut.store.head() == 2

    cut(body)


def test_statements_that_go_on_running_after_the_last_try_have_one_effect(cut) -> None:
    async def body(cut: Cut) -> None:
        async with held(cut.settings.database_url, HELD_UP[IN_CALL]) as lock:
            cut.proxy.next(*[Fate.RUNNING] * MAX_TRIES)
            with pytest.raises(Unavailable):
                await cut.push("k")
            # Who asks while the outcome is open waits for it; who comes next is behind it.
            again, other = asyncio.create_task(cut.push("k")), asyncio.create_task(cut.push("l"))
            await lock.waiting(MAX_TRIES + 1)
            await lock.release()
            assert ((await again).receipt.version, (await again).replayed) == (2, True)
            assert (await other).receipt.version == 3
        assert await cut.store.head() == 3

    cut(body)


@pytest.mark.parametrize("fate", CUTS)
@pytest.mark.parametrize("times", [1, MAX_TRIES])
def test_commands_that_build_upon_a_cut_one_are_decided_on_what_is_true(
    cut, fate: Fate, times: int
) -> None:
    """Batches of three, one behind the other: the first one's answer is lost for good or not."""

    async def body(cut: Cut) -> None:
        keys = [str(number) for number in range(12)]
        cut.proxy.next(*[fate] * times)
        found = await asyncio.gather(*map(cut.push, keys), return_exceptions=True)
        lost = [one for one in found if not isinstance(one, Answer)]
        assert [type(one) for one in lost] == [Unavailable] * (3 if times == MAX_TRIES else 0)
        again = await asyncio.gather(*map(cut.push, keys))
        for first, second in zip(found, again, strict=True):
            assert not isinstance(first, Answer) or second == Answer(first.receipt, replayed=True)
        assert sorted(answer.receipt.version for answer in again) == list(range(2, 14))

    cut(body, append_batch=3)


def test_nothing_is_refused_for_what_was_lost(cut) -> None:
    """The version is what it would be, had the lost command been carried out: another one's is."""

    async def body(cut: Cut) -> None:
        async with opened(cut.settings) as other:
            await other.push("k")
        cut.proxy.next(*[Fate.UNSENT] * MAX_TRIES)
        end = cut.system.dispatch(EndJob(job_id=A, reason="lost"), ANN, Meta(key="end"))
        ended, pushed = await asyncio.gather(end, cut.push("l"), return_exceptions=True)
        assert isinstance(ended, Unavailable)
        assert isinstance(pushed, Answer), "the job has not ended"
        assert pushed.receipt.version == 3

    cut(body, append_batch=1)


@pytest.mark.parametrize("fate", CUTS)
def test_a_batch_of_which_a_part_was_written_before_is_answered_one_by_one(cut, fate: Fate) -> None:
    async def body(cut: Cut) -> None:
        group = cut.system.logs["probe"].group
        note = Encoded("probe.note.kept", b"{}")
        (first,) = await cut.store.append([append(B, 0, note, key="k")])
        assert isinstance(first, Accepted)
        cut.proxy.next(fate)
        pending = [
            group.submit(append(B, 1, fact(1), key="l")),
            group.submit(append(C, 0, note, key="k")),
            group.submit(append(B, 2, fact(2), key="m")),
            group.submit(append(B, 1, fact(1), key="n")),
        ]
        outcomes = [await one.outcome() for one in pending]
        assert outcomes[1:4:2] == [Repeated(first.stored), Stale(B)]
        versions = [one.stored.version for one in outcomes if isinstance(one, Accepted)]
        assert versions == [2, 3]

    cut(body)


def test_commands_go_on_as_soon_as_a_server_that_was_long_away_is_back(
    cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pool doubles its pauses between two tries to connect: this is one after a minute.
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", 60.0)
    monkeypatch.setattr("infra.log.postgres.POOL_WAIT_S", 0.2)

    async def body(cut: Cut) -> None:
        await cut.proxy.leave()
        for key in ("k", "l"):
            with pytest.raises(Unavailable):
                await cut.push(key)
        cut.proxy.come_back()
        assert (await cut.push("k")).receipt.version == 2

    cut(body)


@pytest.mark.parametrize("fate", [Fate.UNSENT, Fate.UNANSWERED, Fate.RUNNING])
@pytest.mark.parametrize("way", ["step by step", "in a pipeline"])
def test_a_reader_whose_commit_is_not_answered_has_one_output(cut, fate: Fate, way: str) -> None:
    async def body(cut: Cut) -> None:
        reader = reader_of(cut.system)
        await cut.push("k")
        await reader.resume()
        if way == "in a pipeline":
            await reader.step()  # the very first one has no position to compare with
        await cut.push("l")
        cut.proxy.next(fate, text="COMMIT\0")  # all of it
        with pytest.raises(Unavailable):
            await reader.step()
        await cut.push("m")
        # By itself, when the commit was carried out.
        with pytest.raises(Overtaken) if fate is Fate.UNANSWERED else suppress(Overtaken):
            await reader.step()
        while await reader.step():
            pass
        (row,) = await cut.system.queries.all(all_jobs(), 2)
        assert (row["pushes"], reader.position) == (3, 4)

    cut(body)
