"""Keeping money of an account for a purpose, and giving it up."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, Strict

from commands import Caller, Clock, Currency, Log, Positive, Receipt, command, handles
from commands.banking.process import actor_of, require_chosen
from domain.banking.account import Account
from domain.banking.process import require_process

MAX_LIFETIME_S = 30 * 24 * 3600
DEFAULT_LIFETIME_S = 7 * 24 * 3600

Lifetime = Annotated[int, Strict(), Field(gt=0, le=MAX_LIFETIME_S)]


@command
class PlaceHold:
    """Keep money for `lifetime_s` seconds. The outcome is a fact: `HoldPlaced` or `HoldRefused`."""

    account_id: UUID
    hold_id: UUID
    amount: Positive
    currency: Currency
    lifetime_s: Lifetime = DEFAULT_LIFETIME_S


@command
class PlaceTransferHold:
    """Keep the money of a flagged transfer while it waits; the hold's id is the transfer's."""

    account_id: UUID
    transfer_id: UUID
    amount: Positive
    currency: Currency
    lifetime_s: Lifetime


@command
class ReleaseHold:
    """Give a hold up; nothing happens when it is resolved already."""

    account_id: UUID
    hold_id: UUID


@command
class ExpireHold:
    """Resolve a hold whose time has passed."""

    account_id: UUID
    hold_id: UUID


@handles(PlaceHold)
async def place_hold(c: PlaceHold, log: Log, clock: Clock, by: Caller) -> Receipt:
    """Place it once."""
    # The refusal is kept even when no such account exists, on the stream that was named.
    require_chosen(c.account_id, by)
    now = clock.now()
    return await log.change(
        Account,
        c.account_id,
        lambda a: a.place_hold(
            c.hold_id,
            c.amount,
            c.currency,
            now=now,
            expires_at=now + timedelta(seconds=c.lifetime_s),
            placed_by=actor_of(by),
        ),
    )


@handles(PlaceTransferHold)
async def place_transfer_hold(c: PlaceTransferHold, log: Log, clock: Clock, by: Caller) -> Receipt:
    """Place it once."""
    require_process(by.actor)
    now = clock.now()
    return await log.change(
        Account,
        c.account_id,
        lambda a: a.place_hold(
            c.transfer_id,
            c.amount,
            c.currency,
            now=now,
            expires_at=now + timedelta(seconds=c.lifetime_s),
            placed_by=actor_of(by),
            transfer_id=c.transfer_id,
        ),
    )


@handles(ReleaseHold)
async def release_hold(c: ReleaseHold, log: Log, by: Caller) -> Receipt:
    """Release it once."""
    return await log.change(
        Account, c.account_id, lambda a: a.funds.release_hold(c.hold_id, actor_of(by))
    )


@handles(ExpireHold)
async def expire_hold(c: ExpireHold, log: Log, by: Caller) -> Receipt:
    """Expire it once."""
    require_process(by.actor)
    return await log.change(Account, c.account_id, lambda a: a.funds.expire_hold(c.hold_id))
