"""The write path: a command comes in, its handler decides, its receipt goes out."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import structlog
from pydantic import SecretStr

from commands import Caller, Ids, Log, Receipt
from domain import Invalid, ProcessOnly, Refused, is_process
from infra.discovery import Features, Handling, ports_of
from infra.log.codec import Codec
from infra.log.group import GroupCommit
from infra.log.port import Busy, LogError, Origin, Store, Stored, refused_again
from infra.session import AnsweredBefore, Moved, Session, Turn, VersionMoved, receipt_of
from infra.streams import Streams

MAX_DECISIONS = 20
"""Times a command is decided when other writers keep being faster."""
MAX_KEY = 255
"""Characters of an idempotency key."""


NOBODY = UUID(int=0)
"""The owner of nothing: who is no user and may act on their own alone."""


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "secret"
    raise TypeError(f"a command field of type {type(value).__name__} cannot be fingerprinted")


_encode = msgspec.json.Encoder(order="sorted", enc_hook=_plain).encode


class KeyReused(Exception):
    """The idempotency key was used for another command; the first one's answer stands."""


class BadKey(Invalid, code="bad_key"):
    """The idempotency key is empty or too long."""


class InFlight(Exception):
    """A command with the same key is being worked on; ask again in a moment."""


class Contended(LogError):
    """Other writers were faster too many times. Send it again with the same key."""


class Answer(msgspec.Struct, frozen=True):
    """A command's receipt; `replayed` when the key had been used and this is what happened then."""

    receipt: Receipt
    replayed: bool = False


class Replayed(Exception):
    """Wraps a refusal that is given again, so that the caller can tell (`refusal`)."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@dataclass(slots=True)
class ContextLog:
    """One context's log and what is kept in memory of it."""

    store: Store
    group: GroupCommit
    streams: Streams


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What comes with a command: for the envelope, the receipt and idempotency."""

    key: str | None = None
    expected: int | None = None
    """The version the caller expects the (first) changed stream to be at."""
    command_id: UUID | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    traceparent: str | None = None


NOTHING = Meta()


class _Taking:
    """How one kind of command is taken: what of it is the same for each one, worked out once."""

    def __init__(self, handling: Handling, ports: dict[str, object]) -> None:
        self.name = handling.name
        self.context = handling.context
        self.handler = handling.handler
        self.is_step = handling.is_step
        self._ports = ports
        self._logs = [name for name, port in handling.ports.items() if port is Log]
        self._callers = [name for name, port in handling.ports.items() if port is Caller]

    def ports(self, log: Log, by: Caller) -> dict[str, object]:
        """Return what the handler asks for, by the names of its parameters."""
        given = self._ports.copy()
        for name in self._logs:
            given[name] = log
        for name in self._callers:
            given[name] = by
        return given


class Dispatcher:
    """Runs commands. One per process; all callers share its queues and its memory."""

    def __init__(
        self,
        features: Features,
        logs: Mapping[str, ContextLog],
        codec: Codec,
        ports: dict[type, object],
        observe: Callable[[str, str, float], None],
        most: int,
    ) -> None:
        self._logs = logs
        self._codec = codec
        self._ids: Ids = ports[Ids]  # type: ignore[assignment]
        self._observe = observe
        self._most = most
        self._handlings = {
            command: _Taking(handling, ports_of(handling, ports))
            for command, handling in features.handlings.items()
            if handling.context in logs
        }
        self._in_flight: set[tuple[str, str, str]] = set()
        # Bound once: to look the configuration up for each line would cost as much as the line.
        self._log = structlog.get_logger("aorist.command").bind()

    async def dispatch(
        self, command: object, by: Caller, meta: Meta = NOTHING, turn: Turn | None = None
    ) -> Answer:
        """Run one command and return its receipt; with `turn`, when that has come.

        Raises what its rules raise (`Refused`), `KeyReused`, `InFlight`, `VersionMoved`, or a
        `LogError` when the store is away or too busy; the command may then be sent again with
        the same key.
        """
        try:
            taking = self._handlings[type(command)]
        except KeyError:
            raise LookupError(f"{type(command).__name__} is no command of this process") from None
        origin = self._origin(taking.name, command, by, meta)
        slot = (origin.actor, origin.command, origin.key)
        if slot in self._in_flight:
            raise InFlight(f"a {origin.command} with the key {origin.key!r} is being worked on")
        if len(self._in_flight) >= self._most:
            raise Busy(
                f"{self._most} commands are on their way here; "
                "send this one again later, with the same key"
            )
        self._in_flight.add(slot)
        started = time.perf_counter()
        result, answer = "failed", None
        try:
            answer = await self._decide(taking, command, by, origin, meta.expected, turn)
            result = "repeated" if answer.replayed else "accepted"
            return answer
        except Replayed as again:
            result = "refused again"
            raise again.refusal from again
        except Refused as refusal:
            result = refusal.code
            raise
        except Exception as error:
            result = type(error).__name__
            raise
        finally:
            self._in_flight.discard(slot)
            self._report(origin, taking.context, result, answer, time.perf_counter() - started)

    async def _decide(
        self,
        taking: "_Taking",
        command: object,
        by: Caller,
        origin: Origin,
        expected: int | None,
        turn: Turn | None,
    ) -> Answer:
        context = self._logs[taking.context]
        only = (by.user or NOBODY) if by.own_only else None
        for attempt in range(MAX_DECISIONS):
            if turn:
                await turn.come(again=attempt > 0)
            session = Session(
                origin, context.streams, context.group, self._codec, expected, turn, only
            )
            try:
                try:
                    if taking.is_step and not is_process(by.actor):
                        raise ProcessOnly(
                            f"{taking.name} is a step of a process, and {by.actor} is none"
                        )
                    return Answer(await taking.handler(command, **taking.ports(session, by)))
                except Refused as refusal:
                    await session.refuse(refusal)
                    raise
            except Moved:
                continue
            except AnsweredBefore as before:
                return self._again(before.stored, origin)
            except VersionMoved:
                # It may have moved by this very command, whose answer was lost.
                stored = await context.store.find(origin.actor, origin.command, origin.key)
                if stored is None:
                    raise
                return self._again(stored, origin)
        raise Contended(
            f"{origin.command} was overtaken {MAX_DECISIONS} times by other writers; "
            "send it again with the same key"
        )

    def answer_again(self, command: object, by: Caller, meta: Meta, stored: Stored) -> Answer:
        """Return the answer that a command got before, from its receipt, without deciding it.

        Raises the refusal that it was, or `KeyReused` when the receipt is of another command.
        """
        origin = self._origin(self._handlings[type(command)].name, command, by, meta)
        try:
            return self._again(stored, origin)
        except Replayed as again:
            raise again.refusal from again

    @staticmethod
    def _again(stored: Stored, origin: Origin) -> Answer:
        if stored.fingerprint != origin.fingerprint:
            raise KeyReused(
                f"the key {origin.key!r} was used for another {origin.command}; "
                "use a new key for a new command"
            )
        if stored.refusal:
            raise Replayed(refused_again(stored.refusal))
        return Answer(receipt_of(stored), replayed=True)

    def _origin(self, name: str, command: object, by: Caller, meta: Meta) -> Origin:
        if meta.key is not None and not 0 < len(meta.key) <= MAX_KEY:
            raise BadKey(f"an idempotency key has 1 to {MAX_KEY} characters, not {len(meta.key)}")
        command_id = meta.command_id or self._ids.new()
        return Origin(
            command_id=command_id,
            command=name,
            actor=by.actor,
            key=meta.key if meta.key is not None else str(command_id),
            fingerprint=fingerprint(command, meta.expected),
            correlation_id=meta.correlation_id or command_id,
            causation_id=meta.causation_id,
            traceparent=meta.traceparent,
            address=by.address,
            agent=by.agent,
            reason=by.reason,
            roles=by.acting,
        )

    def _report(
        self, origin: Origin, context: str, result: str, answer: Answer | None, seconds: float
    ) -> None:
        self._observe(origin.command, result, seconds)
        receipt = answer.receipt if answer else None
        self._log.info(
            "command",
            command=origin.command,
            result=result,
            context=context,
            position=receipt.position if receipt else None,
            stream=receipt.stream if receipt else None,
            version=receipt.version if receipt else None,
            actor=origin.actor,
            correlation_id=origin.correlation_id,
            ms=round(seconds * 1000, 2),
        )


def fingerprint(command: object, expected: int | None = None) -> str:
    """Return a digest of a command's values, the same whatever the order of its mappings.

    Secrets are left out of it: it is kept, and a password could be guessed by it.
    """
    data = _encode((command, expected))
    return hashlib.blake2b(data, digest_size=16).hexdigest()
