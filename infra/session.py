"""One command's view of its log: what it read, and the one append it makes of it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from commands import Change, Receipt
from domain import Event, NotYours, Refused, State
from infra.loading import IdTaken
from infra.log.codec import Codec
from infra.log.group import GroupCommit, Pending
from infra.log.port import Accepted, Append, LogError, Origin, Repeated, Stored, Write, refusal_of
from infra.streams import Cached, Streams

S = TypeVar("S", bound=State)


class Moved(Exception):
    """Another writer was faster; the command must be decided again."""


class AnsweredBefore(Exception):
    """The command's key was used before; `stored` is what happened then."""

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored.key)
        self.stored = stored


class VersionMoved(Exception):
    """The caller expected another version of the resource (`If-Match`)."""

    def __init__(self, stream: UUID, expected: int, version: int) -> None:
        super().__init__(
            f"{stream} is at version {version}, not at {expected}; read it again and decide anew"
        )
        self.version = version


class Turn(Protocol):
    """A command's place in an order that its sender keeps; see `infra.turns`."""

    async def come(self, *, again: bool) -> None:
        """Wait until the command may be decided, or decided again."""
        ...

    def decided(self, pending: Pending) -> None:
        """Hear that its append is queued: whoever decides from here on sees its effect."""
        ...

    @property
    def follows(self) -> list[Pending]:
        """The appends that this one's is lost with."""
        ...

    @property
    def stands(self) -> bool:
        """Whether what it follows is decided still."""
        ...


class Session:
    """What a handler gets as its `Log`; see `commands.Log`.

    Every stream the command read takes part in its append, with the version it was read at: a
    decision, a refusal included, is never taken on a state that is no longer the newest.
    With `turn` it is decided in an order that the sender keeps.
    """

    def __init__(
        self,
        origin: Origin,
        streams: Streams,
        group: GroupCommit,
        codec: Codec,
        expected: int | None = None,
        turn: Turn | None = None,
        only: UUID | None = None,
    ) -> None:
        self._turn = turn
        self._only = only
        """Whose streams may be changed; None for everybody's."""
        self._origin = origin
        self._streams = streams
        self._group = group
        self._codec = codec
        self._expected = expected
        self._seen: dict[UUID, Cached] = {}
        self._loaded: set[UUID] = set()
        """What the handler itself has looked at, before it decided."""
        self._committed = False

    async def load(self, state: type[S], id: UUID) -> S:
        """Return the state of one aggregate; the initial state when it has no facts."""
        before = self._seen.get(id)
        entry = await self._get(state, id)
        if before is not None and before.version != entry.version:
            raise Moved  # the handler has drawn conclusions from the older one
        self._loaded.add(id)
        return entry.state  # type: ignore[return-value]

    async def change(
        self, state: type[S], id: UUID, decide: Callable[[S], Sequence[Event]]
    ) -> Receipt:
        """Load, decide, append."""
        return await self.change_all(Change(state, id, decide))

    async def change_all(self, *changes: Change[Any]) -> Receipt:
        """Change several streams in one append, all or nothing."""
        if self._committed:
            raise RuntimeError("a command commits once: use change_all for several streams")
        loaded = {id: self._seen[id].version for id in self._loaded}
        known = [self._streams.newest(change.state, change.id) for change in changes]
        entries = [entry for entry in known if entry]
        if len(entries) < len(changes) or self._expected is not None:
            entries = await self._get_all(changes)
        # From here to the submit nothing awaits, so nobody decides in between.
        if loaded and any(loaded.get(e.id, e.version) != e.version for e in entries):
            raise Moved
        for entry in entries:
            self._seen[entry.id] = entry
        # Two changes of one stream have one entry.
        states = {entry: entry.state for entry in entries}
        if self._only:
            states = {entry: self._shown(entry.state) for entry in entries}
        facts: dict[Cached, list[Event]] = {entry: [] for entry in entries}
        for change, entry in zip(changes, entries, strict=True):
            decided = change.decide(states[entry])
            states[entry] = states[entry].fold(decided)
            facts[entry] += decided
        if self._only:
            self._require_own(states)
        # After the rules: whoever may not do it must not learn the version (RFC 9110, 13.2.1).
        if self._expected is not None and entries[0].version != self._expected:
            raise await self._moved(entries[0], self._expected)
        pending = self._submit(self._append(facts, None))
        newer = [
            Cached(entry.id, states[entry], entry.version + len(decided), pending)
            for entry, decided in facts.items()
            if decided
        ]
        for entry in newer:
            self._streams.put(entry)
        self._committed = True
        done = await self._decided(pending)
        if isinstance(done, Accepted):
            for entry in newer:
                # Kept until the stream's next command, the append would be out of the processor's
                # caches when it is freed, as would be what the next ones are made in.
                entry.pending = None
        return receipt_of(done)

    def _shown(self, state: State) -> State:
        """Return the state; another's is shown as that of a stream without facts."""
        return state if state.owner in (None, self._only) else type(state)()

    def _require_own(self, states: dict[Cached, State]) -> None:
        """Refuse what the rules would let happen to another's. Raises `NotYours`."""
        for entry, after in states.items():
            if not {entry.state.owner, after.owner} <= {None, self._only}:
                raise NotYours(f"{entry.id} is, or would be, another user's; act for yourself only")

    async def refuse(self, refusal: Refused) -> None:
        """Keep a refusal, as an answer about the newest states the command read."""
        await self._decided(self._submit(self._append({}, refusal)))

    async def _get(self, state: type[State], id: UUID) -> Cached:
        try:
            entry = await self._streams.get(state, id)
        except IdTaken:
            holder = self._streams.known(id)
            if holder is not None:
                self._seen[id] = holder  # it may be on its way only, and fail
            raise
        self._seen[id] = entry
        return entry

    async def _get_all(self, changes: Sequence[Change[Any]]) -> list[Cached]:
        """Return the newest states, those that are not in memory from the log."""
        for change in changes:
            entry = self._streams.newest(change.state, change.id)
            if entry is None:
                await self._get(change.state, change.id)
            else:
                self._seen[change.id] = entry
        first = changes[0]
        if self._expected is not None and self._newest(first).version != self._expected:
            self._streams.drop(first.id)  # another process may have written
            await self._get(first.state, first.id)
        return [self._newest(change) for change in changes]

    @staticmethod
    async def _moved(entry: Cached, expected: int) -> Exception:
        """Return what to raise about another version than the expected one."""
        if entry.pending:
            # In memory it has moved; whether it has in the log is not known before that is.
            try:
                outcome: object = await entry.pending.outcome()
            except LogError as lost:
                outcome = lost
            if not isinstance(outcome, Accepted):
                return Moved()
        return VersionMoved(entry.id, expected, entry.version)

    def _newest(self, change: Change[Any]) -> Cached:
        return self._streams.newest(change.state, change.id) or self._seen[change.id]

    def _append(self, facts: dict[Cached, list[Event]], refusal: Refused | None) -> Append:
        # The changed streams come first: the receipt names the first one.
        encode, seen = self._codec.encode, self._seen
        writes = [
            Write(entry.id, entry.version, tuple([encode(fact) for fact in decided]))
            for entry, decided in facts.items()
        ]
        if len(seen) > len(writes):
            writes += [Write(e.id, e.version, ()) for e in seen.values() if e not in facts]
        return Append(
            origin=self._origin,
            writes=tuple(writes),
            refusal=refusal_of(refusal) if refusal else None,
        )

    def _submit(self, append: Append) -> Pending:
        if self._turn and not self._turn.stands:
            raise Moved  # what it follows was lost, and is being decided again
        after = [entry.pending for entry in self._seen.values() if entry.pending]
        if self._turn:
            after += self._turn.follows
        pending = self._group.submit(append, after)
        if self._turn:
            self._turn.decided(pending)
        return pending

    async def _decided(self, pending: Pending) -> Accepted | Stored:
        try:
            outcome = await pending.outcome()
        except BaseException:
            self._forget()
            raise
        if isinstance(outcome, Accepted):
            return outcome
        self._forget()
        if not isinstance(outcome, Repeated):
            self._streams.following.begin()
            raise Moved
        stored, append = outcome.stored, pending.append
        earlier_try = stored.command_id == append.origin.command_id
        if earlier_try and stored.refusal == append.refusal:
            return stored
        raise AnsweredBefore(stored)

    def _forget(self) -> None:
        for id in self._seen:
            self._streams.drop(id)


def receipt_of(done: Accepted | Stored) -> Receipt:
    """Return the caller's receipt."""
    stream = done.stream
    assert stream is not None  # noqa: S101 - a change always names its stream
    return Receipt(
        context=done.context, position=done.position, stream=stream, version=done.version
    )
