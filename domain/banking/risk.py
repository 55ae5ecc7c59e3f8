"""Risk: what about a transfer deserves a second look before money moves."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

import msgspec

from domain import Event, State

RISKS = UUID("a1c0a5e4-4f0e-4b0c-9a52-6b1f0e2d7c93")
"""Namespace of the risk streams' ids."""
MEMORY = 64
"""Transfers an account's risk remembers: the latest ones. A count rule must fit into it.

What a sum rule no longer sees when more came in its window, a count rule has flagged before.
Transfers that draw on a hold are remembered apart, as many again: they must not crowd those out.
"""

MAX_RULES = 100
"""Rules in a rule set."""


class Severity(StrEnum):
    """What follows when a rule fires: nothing, a note, or a person's decision."""

    CLEAR = "clear"
    NOTICE = "notice"
    REVIEW = "review"


_ORDER = tuple(Severity)


class FiredRule(msgspec.Struct, frozen=True):
    """A rule that fired on a transfer, and why."""

    name: str
    severity: str
    detail: str


class TransferAssessed(Event, frozen=True):
    """The rules looked at a transfer; every one that fired is kept."""

    TOPIC = "banking.risk.transfer_assessed"
    transfer_id: UUID
    account_id: UUID
    """The account that pays."""
    amount: int
    currency: str
    held: bool
    """Whether it draws on a hold, which its holder authorised."""
    fired: tuple[FiredRule, ...]
    severity: str
    rules_version: str
    assessed_at: datetime


class Seen(msgspec.Struct, frozen=True):
    """A transfer as the rules see it."""

    transfer_id: UUID
    amount: int
    currency: str
    at: datetime
    held: bool = False


class LargeAmount(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Fires when one transfer moves `at_least` minor units or more."""

    name: str
    priority: int
    severity: Severity
    at_least: int

    def why(self, asked: Seen, before: Iterable[Seen]) -> str | None:
        """Return why it fires; None when it does not."""
        if asked.amount < self.at_least:
            return None
        return f"{asked.amount} {asked.currency} is at least {self.at_least}"


class Velocity(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Fires when more transfers, or more money, leave one account within a time than usual.

    Counts what was asked for, whether it was carried out or not. A transfer that draws on a hold
    neither fires it nor counts.
    """

    name: str
    priority: int
    severity: Severity
    window: timedelta
    at_most: int
    """Transfers, at most `MEMORY`."""
    sum_at_most: int
    """Minor units of one currency."""

    def why(self, asked: Seen, before: Iterable[Seen]) -> str | None:
        """Return why it fires; None when it does not."""
        if asked.held:
            return None
        recent = [s for s in before if s.at > asked.at - self.window]
        number = len(recent) + 1
        total = asked.amount + sum(s.amount for s in recent if s.currency == asked.currency)
        if number > self.at_most:
            return f"{number} transfers in {self.window} are more than {self.at_most}"
        if total > self.sum_at_most:
            return f"{total} {asked.currency} in {self.window} is more than {self.sum_at_most}"
        return None


Rule = LargeAmount | Velocity


class RuleSet(msgspec.Struct, frozen=True):
    """The rules in force, under a version that goes into every assessment."""

    version: str
    rules: tuple[Rule, ...]

    def fired(self, asked: Seen, before: tuple[Seen, ...]) -> tuple[FiredRule, ...]:
        """Return every rule that fires, the lowest priority number first."""
        found = []
        for rule in sorted(self.rules, key=lambda rule: (rule.priority, rule.name)):
            why = rule.why(asked, before)
            if why is not None:
                found.append(FiredRule(rule.name, rule.severity.value, why))
        return tuple(found)


STANDARD = RuleSet(
    version="2026-11",
    rules=(
        LargeAmount(name="large_amount", priority=1, severity=Severity.REVIEW, at_least=1_000_000),
        Velocity(
            name="velocity",
            priority=2,
            severity=Severity.REVIEW,
            window=timedelta(hours=1),
            at_most=20,
            sum_at_most=2_000_000,
        ),
        Velocity(
            name="burst",
            priority=3,
            severity=Severity.NOTICE,
            window=timedelta(minutes=1),
            at_most=5,
            sum_at_most=2_000_000,
        ),
    ),
)
"""The bank's rules; amounts are in minor units of whatever currency the transfer is in."""


class Risk(State, frozen=True):
    """What one paying account's later transfers are compared with."""

    KIND = "banking.risk"
    seen: tuple[Seen, ...] = ()
    drawn: tuple[UUID, ...] = ()
    """Transfers that drew on a hold."""

    def assess(
        self,
        transfer_id: UUID,
        account_id: UUID,
        amount: int,
        currency: str,
        *,
        held: bool,
        now: datetime,
        rules: RuleSet,
    ) -> list[Event]:
        """Look at a transfer, once. The severity is the highest of the rules that fire."""
        if transfer_id in self.drawn or any(s.transfer_id == transfer_id for s in self.seen):
            return []
        asked = Seen(transfer_id, amount, currency, now, held)
        fired = rules.fired(asked, self.seen)
        return [
            TransferAssessed(
                transfer_id=transfer_id,
                account_id=account_id,
                amount=amount,
                currency=currency,
                held=held,
                fired=fired,
                severity=highest(rule.severity for rule in fired).value,
                rules_version=rules.version,
                assessed_at=now,
            )
        ]

    def evolve(self, event: Event) -> "Risk":
        """Remember the latest transfers."""
        match event:
            case TransferAssessed(held=True):
                return self.replace(drawn=(*self.drawn, event.transfer_id)[-MEMORY:])
            case TransferAssessed():
                seen = Seen(event.transfer_id, event.amount, event.currency, event.assessed_at)
                return self.replace(seen=(*self.seen, seen)[-MEMORY:])
        return self


def highest(severities: Iterable[str]) -> Severity:
    """Return the highest of the severities, whatever their order; `CLEAR` when there is none."""
    return max((Severity(s) for s in severities), key=_ORDER.index, default=Severity.CLEAR)


def risk_id(account_id: UUID) -> UUID:
    """Return the stream on which transfers from an account are assessed."""
    return uuid5(RISKS, str(account_id))
