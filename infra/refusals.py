"""What is refused at the door, before there is a command: kept in the audit trail, within a bound.

A command that its rules refuse leaves a receipt, which its idempotency needs. What comes to no
command leaves one too, by the same way: the token that is no good, the role that is missing.
"""

from collections import Counter
from typing import NamedTuple
from uuid import UUID

import structlog

from commands import Caller, Clock, Ids
from infra.log.group import GroupCommit
from infra.log.port import Append, LogError, Origin, Refusal

WINDOW_S = 300
MAX_OF_ONE = 10
"""Refusals of one caller that are kept in five minutes; the rest is counted."""
MAX_IN_ALL = 200
"""Those of all users and services; strangers, whom anybody can be many of, have as many again."""
COMMAND = "http."
"""What stands in the trail in a command's place: this and the operation's id."""

log = structlog.get_logger("aorist.refusals")


class Refused(NamedTuple):
    """One refusal."""

    operation: str
    code: str
    detail: str
    correlation_id: UUID


class Refusals:
    """Keeps refusals in the users' log."""

    def __init__(self, group: GroupCommit, ids: Ids, clock: Clock) -> None:
        self._group = group
        self._ids = ids
        self._clock = clock
        self._until = 0.0
        self._kept: Counter[str] = Counter()
        """By caller, in this window; as many as are kept at most."""
        self._totals: Counter[bool] = Counter()
        self._untold = 0
        """Refusals that were not kept since the last one that was."""

    async def keep(self, refused: Refused, by: Caller, *, known: bool) -> bool:
        """Keep a refusal, if there is room for it; tell whether it was.

        Who is not `known` is counted by address. What cannot be written is logged, and lost: the
        caller has had the answer.
        """
        if not self._has_room(by.actor if known else f"from {by.address}", known):
            self._untold += 1
            return False
        more, self._untold = self._untold, 0
        detail = f"{refused.detail} (and {more} more that are not kept)" if more else refused.detail
        try:
            await self._group.submit(self._append(refused, detail, by)).outcome()
        except LogError as error:
            self._untold += more + 1
            log.warning("refusal not kept", code=refused.code, error=type(error).__name__)
            return False
        return True

    def _has_room(self, who: str, known: bool) -> bool:
        now = self._clock.now().timestamp()
        if now >= self._until:
            self._until = now + WINDOW_S
            self._kept.clear()
            self._totals.clear()
        if self._kept[who] >= MAX_OF_ONE or self._totals[known] >= MAX_IN_ALL:
            return False
        self._kept[who] += 1
        self._totals[known] += 1
        return True

    def _append(self, refused: Refused, detail: str, by: Caller) -> Append:
        id = self._ids.new()
        origin = Origin(
            command_id=id,
            command=COMMAND + refused.operation,
            actor=by.actor,
            key=str(id),
            fingerprint="",
            correlation_id=refused.correlation_id,
            address=by.address,
            agent=by.agent,
            reason=by.reason,
            roles=by.acting,
        )
        return Append(origin=origin, writes=(), refusal=Refusal(refused.code, detail, "forbidden"))
