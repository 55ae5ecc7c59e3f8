"""Loads states: from the newest snapshot that fits, or from the first fact of the stream on.

Streams that are wanted while one read is under way come with the next one. There is no timer: an
idle store reads at once.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import count
from operator import eq, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from domain import Envelope, Refused, State
from infra.log.codec import UNREADABLE, Codec
from infra.log.histories import FactRow, History, Wanted
from infra.log.port import CorruptFact, LogError, Recorded, Store, Unavailable
from infra.snapshots import Snapshots

MAX_STREAMS = 500
"""Streams in one read."""
MAX_FACTS = 12_000
"""Facts in one read, shared out to its streams; a longer stream takes several."""
FOLD_SLICE = 2_000
"""Facts that are folded before others have their turn: a few milliseconds."""


class IdTaken(Refused, code="id_taken"):
    """The id belongs to an aggregate of another kind in the same context."""


class Loaded(NamedTuple):
    """A state as the log has it."""

    state: State
    version: int
    base: int
    """The version of the snapshot it was folded from; 0 for none."""


class Load:
    """One state on its way into memory."""

    def __init__(self, kind: type[State], id: UUID, shape: str | None) -> None:
        self.kind = kind
        self.id = id
        self.begin(shape)
        self.future: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()

    def begin(self, shape: str | None) -> None:
        """Start with nothing known; with `shape`, from a snapshot if there is one."""
        self.shape = shape
        self.state: State = self.kind()
        self.version = self.base = 0

    @property
    def wanted(self) -> Wanted:
        """What is to be read next."""
        return Wanted(self.id, self.shape) if not self.version else _behind(self.id, self.version)

    def fail(self, error: Exception) -> None:
        """Tell whoever waits."""
        if not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # whoever waited may have gone away


class Loader:
    """The queue for reading and folding one store's streams."""

    def __init__(self, store: Store, codec: Codec, snapshots: Snapshots) -> None:
        self._store = store
        self._codec = codec
        self._snapshots = snapshots
        self._wanted: dict[tuple[type[State], UUID], Load] = {}
        self._begun: list[Load] = []
        """Those of which more is to be read."""
        self._task: asyncio.Task[None] | None = None

    async def load(self, kind: type[State], id: UUID) -> Loaded:
        """Return a stream's state. Whoever wants the same one shares the read.

        Raises `IdTaken` for a stream of another kind, `CorruptFact` for one with a gap, or with a
        fact that cannot be read.
        """
        load = self._wanted.get((kind, id))
        if load is None:
            load = self._wanted[kind, id] = Load(kind, id, self._snapshots.topic_of(kind))
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._drain(), name=f"{self._store.context}-reads")
                self._task.add_done_callback(self._ended)
        return await asyncio.shield(load.future)

    async def _drain(self) -> None:
        while self._begun or self._wanted:
            # Taken out before the read: whoever comes during it may need to see more.
            keys = list(self._wanted)[: MAX_STREAMS - len(self._begun)]
            loads = self._begun + [self._wanted.pop(key) for key in keys]
            self._begun = []
            try:
                await self._read(loads)
            except Exception as error:  # noqa: BLE001 - told to whoever waits; the next are served
                _fail(loads, error)
            except BaseException as error:
                _fail(loads, _broken_off(error))
                raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Tell those who wait still: the task was cancelled, maybe before it could begin."""
        if task is self._task:
            _fail((*self._begun, *self._wanted.values()), _broken_off(asyncio.CancelledError()))
            self._begun = []
            self._wanted.clear()

    async def _read(self, loads: Sequence[Load]) -> None:
        limit = MAX_FACTS // len(loads)
        found = await self._store.histories.read([load.wanted for load in loads], limit)
        for load, history in zip(loads, found, strict=True):
            try:
                ended = await self._take(load, history, limit)
            except Exception as error:  # noqa: BLE001 - told to whoever wants this one; others go on
                load.fail(error)
                continue
            if ended:
                load.future.set_result(Loaded(load.state, load.version, load.base))
            else:
                self._begun.append(load)

    async def _take(self, load: Load, history: History, limit: int) -> bool:
        """Fold what was read. Returns whether that was all."""
        if history.snapshot is None:
            if not load.version:
                _require_kind(load.kind, load.id, history.facts)
            await self._go_on(load, history.facts)
        else:
            version, data = history.snapshot
            try:
                await self._fold_on(load, version, data, history.facts)
            except Unfit as error:
                self._snapshots.unfit(load.id, load.kind, version, str(error))
                load.begin(None)
                return False
        return len(history.facts) < limit

    async def _fold_on(self, load: Load, version: int, data: str, facts: list[FactRow]) -> None:
        """Fold from a snapshot on; `facts` begin with the one that it ends with."""
        if not facts or facts[0][1] != version or _kind(facts[0]) != load.kind.KIND:
            raise Unfit(f"the stream has no such version of a {load.kind.KIND}")
        try:
            load.state = self._snapshots.decode(load.kind, data)
        except UNREADABLE as error:
            raise Unfit(f"it cannot be read: {error}") from error
        load.version = load.base = version
        if not _follow(facts[1:], version):
            raise Unfit("the facts behind it have a gap")
        try:
            await self._go_on(load, facts[1:])
        except LogError:
            raise
        except Exception as error:
            raise Unfit(f"facts cannot be folded on it: {error!r}") from error

    async def _go_on(self, load: Load, facts: list[FactRow]) -> None:
        load.state = await fold_on(
            load.state, load.id, load.version, facts, self._store, self._codec
        )
        load.version += len(facts)


class Unfit(Exception):
    """A snapshot that does not fit its stream or its state; the message says why."""


class Unread(Exception):
    """The fact of a version could not be read, or not be folded; `error` says why."""

    def __init__(self, version: int, error: Exception) -> None:
        super().__init__(version)
        self.version = version
        self.error = error


async def fold_on(
    state: State, id: UUID, version: int, facts: Sequence[FactRow], store: Store, codec: Codec
) -> State:
    """Return the state after the facts of a stream behind `version`, folded slice by slice.

    Raises `CorruptFact` for a gap, or for a fact that cannot be read.
    """
    if not _follow(facts, version):
        expected = next(n for n, fact in enumerate(facts, version + 1) if fact[1] != n)
        found = facts[expected - version - 1][1]
        [recorded] = await store.stream(id, found - 1, found)
        raise gap(recorded.at, expected)
    for start in range(0, len(facts), FOLD_SLICE):
        if start:
            await asyncio.sleep(0)
        try:
            state = _folded(state, facts[start : start + FOLD_SLICE], codec)
        except Unread as unread:
            for recorded in await store.stream(id, unread.version - 1, unread.version):
                codec.decode(recorded)  # says where the fact is, and what is wrong with it
            raise unread.error from None  # the fact is as it should be: the fold is at fault
    return state


async def fold_upto(
    store: Store, codec: Codec, kind: type[State], id: UUID, upto: int
) -> tuple[State, int]:
    """Fold a stream up to a version, without any snapshot; whatever its length, in little memory.

    Returns the state and its version, which is lower when the stream ends before. Raises as
    `fold_on`, and `IdTaken` for a stream of another kind.
    """
    state, version = kind(), 0
    while version < upto:
        limit = min(MAX_FACTS, upto - version)
        [history] = await store.histories.read([_behind(id, version)], limit)
        if not version:
            _require_kind(kind, id, history.facts)
        state = await fold_on(state, id, version, history.facts, store, codec)
        version += len(history.facts)
        if len(history.facts) < limit:
            break
    return state, version


def _folded(state: State, facts: Sequence[FactRow], codec: Codec) -> State:
    decode_as, version = codec.decode_as, 0
    try:
        for _, version, topic, data in facts:  # noqa: B007 - needed when it fails
            state = state.evolve(decode_as[topic](data))
    except UNREADABLE as error:
        raise Unread(version, error) from error
    return state


def fold(kind: type[State], id: UUID, recorded: Sequence[Recorded], codec: Codec) -> Any:
    """Return the state after all `recorded` facts of a stream, from its first one on.

    Raises `IdTaken` for facts of another kind, `CorruptFact` for a gap or one that is not readable.
    """
    if recorded and recorded[0].at.kind != kind.KIND:
        raise taken(id, recorded[0].at.kind, kind.KIND)
    for expected, one in enumerate(recorded, 1):
        if one.at.version != expected:
            raise gap(one.at, expected)
    return kind().fold(codec.decode_all(recorded))


def gap(at: Envelope, expected: int) -> CorruptFact:
    """Return the error of a stream that goes on with another version than `expected`."""
    return CorruptFact(
        f"{at.context} log, position {at.position} (stream {at.stream}, version {at.version}): "
        f"version {expected} is missing before it; restore the row from a backup"
    )


def taken(id: UUID, holder: str, wanted: str) -> IdTaken:
    """Return the refusal of an id that belongs to an aggregate of the kind `holder`."""
    return IdTaken(f"{id} is the id of a {holder}, so no {wanted} can have it; choose another id")


def _fail(loads: Iterable[Load], error: Exception) -> None:
    for load in loads:
        load.fail(error)


def _broken_off(error: BaseException) -> Unavailable:
    return Unavailable(f"the read was broken off by {type(error).__name__}; try again")


def _behind(id: UUID, version: int) -> Wanted:
    return Wanted(id, None, version) if version else Wanted(id)


def _require_kind(kind: type[State], id: UUID, facts: Sequence[FactRow]) -> None:
    if facts and _kind(facts[0]) != kind.KIND:
        raise taken(id, _kind(facts[0]), kind.KIND)


def _follow(facts: Sequence[FactRow], version: int) -> bool:
    """Tell whether the facts go on from a version without a gap."""
    return all(map(eq, map(itemgetter(1), facts), count(version + 1)))


def _kind(fact: FactRow) -> str:
    return fact[2].rpartition(".")[0]
