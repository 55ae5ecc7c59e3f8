"""Checks a log: positions, versions, receipts, and what each context says must always hold."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from domain import Envelope, State
from infra.loading import IdTaken, fold_upto
from infra.log.histories import Snapshot
from infra.log.port import MAX_PAGE, CorruptFact, Recorded, Stored
from infra.shapes import Shape
from infra.system import System

MAX_NAMED = 20
"""Breaches of one kind that a finding names."""
SNAPSHOTS_PAGE = 20
"""Snapshots in one read: a state may be large."""

Progress = Callable[[int, int], None]
"""Called with facts seen and facts in all."""


@dataclass
class Finding:
    """One thing that was checked: how much of it, and what is wrong."""

    name: str
    counted: str
    breaches: list[str] = field(default_factory=list)
    """The first of them."""
    total: int = 0
    mended: bool = False
    """Whether what was wrong is right now."""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return self.mended or not self.total

    def breach(self, sentence: str) -> None:
        """Note something wrong."""
        self.total += 1
        if len(self.breaches) < MAX_NAMED:
            self.breaches.append(sentence)


async def examine(system: System, context: str, progress: Progress) -> list[Finding]:
    """Walk through a context's log once, up to where it ends now."""
    head = await system.logs[context].store.head()
    places, readable = Finding("positions and versions have no gaps", ""), Finding("", "")
    sequence = _Sequence(places)
    receipts = _Receipts(Finding("receipts and facts name each other", ""))
    await receipts.start(_receipts(system, context), head)
    watchers = system.features.invariants.get(context, list)()
    async for recorded in _facts(system, context, head):
        sequence.see(recorded.at)
        await receipts.see(recorded.at)
        try:
            fact = system.codec.decode(recorded)
        except CorruptFact as error:
            readable.breach(str(error))
            continue
        for watcher in watchers:
            watcher.see(recorded.at.stream, fact)
        if recorded.at.position % MAX_PAGE == 0:
            progress(recorded.at.position, head)
    progress(head, head)
    sequence.end(head)
    await receipts.end()
    places.counted = f"{sequence.seen:,} facts on {len(sequence.versions):,} streams"
    readable.name, readable.counted = "every fact can be read", f"{sequence.seen:,} facts"
    receipts.finding.counted = f"{receipts.seen:,} receipts"
    snapshots = await _snapshots(system, context)
    index = await _index(system, context)
    return [places, readable, receipts.finding, *index, snapshots, *map(_watched, watchers)]


async def _index(system: System, context: str) -> list[Finding]:
    """Compare the log's own index of streams, where it has one, with the log."""
    misplaced = await system.logs[context].store.histories.misplaced(MAX_NAMED)
    if misplaced is None:
        return []
    finding = Finding("streams are indexed as the log has them", "")
    for position, stream, version in misplaced:
        finding.breach(
            f"position {position}, version {version} of stream {stream}, is in one of them only; "
            "make the index anew (docs/operating.md, The store)"
        )
    return [finding]


async def _snapshots(system: System, context: str) -> Finding:
    """Fold each stream that has a snapshot up to there, one after the other."""
    finding = Finding("snapshots equal the folded streams", "")
    log = system.logs[context]
    shapes = {shape.topic: shape for shape in log.streams.snapshots.shapes.values()}
    seen = foreign = 0
    after: Snapshot | None = None
    while found := await log.store.histories.page(after, SNAPSHOTS_PAGE):
        after = found[-1]
        for snapshot in found:
            shape = shapes.get(snapshot.shape)
            if shape is None:
                foreign += 1  # another program's: only that one knows what it should be
                continue
            seen += 1
            if (problem := await _difference(system, context, snapshot, shape)) is not None:
                finding.breach(
                    f"snapshot of {shape.state.KIND} {snapshot.stream} at version "
                    f"{snapshot.version} {problem}; delete it, it will be taken anew"
                )
    finding.counted = f"{seen:,} snapshots" + (f", {foreign:,} of other code" if foreign else "")
    return finding


async def _difference(
    system: System, context: str, snapshot: Snapshot, shape: Shape[State]
) -> str | None:
    """Return what is wrong with a snapshot; None for a right one."""
    try:
        kept = shape.decode(snapshot.data)
    except msgspec.DecodeError as error:
        return f"cannot be read: {error}"
    try:
        store = system.logs[context].store
        folded, version = await fold_upto(
            store, system.codec, shape.state, snapshot.stream, snapshot.version
        )
    except (CorruptFact, IdTaken) as error:
        return f"cannot be compared: {error}"
    if version != snapshot.version:
        return f"is ahead of its stream, which ends at version {version}"
    return None if kept == folded else "differs from what its facts fold to"


def _watched(watcher: Any) -> Finding:
    breaches = [*watcher.breaches(), *watcher.unfinished()]
    return Finding(watcher.name, "", breaches[:MAX_NAMED], len(breaches))


async def _facts(system: System, context: str, head: int) -> AsyncIterator[Recorded]:
    after = 0
    while found := await system.logs[context].store.read(after, MAX_PAGE, upto=head):
        after = found[-1].at.position
        for recorded in found:
            yield recorded


async def _receipts(system: System, context: str) -> AsyncIterator[Stored]:
    after = 0
    while found := await system.logs[context].store.receipts(after=after, limit=MAX_PAGE):
        after = found[-1][0]
        for _, stored in found:
            yield stored


class _Sequence:
    """Positions 1, 2, 3 … in the log, versions 1, 2, 3 … on each stream, time never backwards."""

    def __init__(self, finding: Finding) -> None:
        self.seen = 0
        self.versions: dict[UUID, int] = {}
        self._finding = finding
        self._last: Envelope | None = None

    def see(self, at: Envelope) -> None:
        """Take the next fact's envelope in."""
        self.seen += 1
        expected = self._last.position + 1 if self._last else 1
        if at.position != expected:
            self._finding.breach(f"position {expected} is missing before {at.position}")
        version = self.versions.get(at.stream, 0) + 1
        if at.version != version:
            self._finding.breach(
                f"position {at.position}: stream {at.stream} goes on with version {at.version}, "
                f"not {version}"
            )
        if self._last and at.time < self._last.time:
            self._finding.breach(f"position {at.position}: {at.time} is before {self._last.time}")
        self.versions[at.stream] = at.version
        self._last = at

    def end(self, head: int) -> None:
        """Compare with what the log says of its length."""
        last = self._last.position if self._last else 0
        if last != head:
            self._finding.breach(f"the log ends at position {last}, its head says {head}")


class _Receipts:
    """Walks receipts beside facts: both are in commit order, so neither has to be kept."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        self.seen = 0
        self._coming: AsyncIterator[Stored]
        self._head = 0
        self._now: Stored | None = None
        self._found = 0

    async def start(self, coming: AsyncIterator[Stored], head: int) -> None:
        """Begin with the first receipt."""
        self._coming, self._head = coming, head
        await self._next()

    async def see(self, at: Envelope) -> None:
        """Take the next fact's envelope in."""
        while self._now is not None and self._now.position < at.position:
            self._close()
            await self._next()
        now = self._now
        if now is None or at.position <= now.position - now.facts:
            self.finding.breach(f"position {at.position} ({at.topic}) has no receipt")
        elif now.command_id != at.command_id:
            self.finding.breach(
                f"position {at.position} is of command {at.command_id}, the receipt for it "
                f"({now.command}) of command {now.command_id}"
            )
        else:
            self._found += 1

    async def end(self) -> None:
        """Walk through the receipts that are left."""
        while self._now is not None:
            self._close()
            await self._next()

    async def _next(self) -> None:
        """Go on to the next receipt that has facts, within the part of the log that is seen."""
        self._now, self._found = None, 0
        async for stored in self._coming:
            if stored.position > self._head:
                continue
            self.seen += 1
            if stored.facts:
                self._now = stored
                return

    def _close(self) -> None:
        now = self._now
        if now is not None and self._found != now.facts:
            self.finding.breach(
                f"{now.command} of {now.actor} (key {now.key}) has {now.facts} facts up to "
                f"position {now.position} by its receipt, {self._found} in the log"
            )
