"""Keeping money of an account for a purpose, and giving it up."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field, Strict

from commands import Caller, Clock, Currency, Log, Positive, Receipt, command, handles
from commands.banking.account import is_account, is_account_of
from domain import is_process
from domain.banking.account import Account
from domain.banking.derived import require_chosen
from domain.banking.hold import nowhere
from domain.banking.refusal import UnknownAccount

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
    holder_id: UUID | None = None
    """Whose account it has to be; another's is as one that is not there."""


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
    """Place it once. A process that names an unknown account is answered by a fact as well."""
    require_chosen(c.hold_id, by.actor)
    account_id = c.account_id
    as_nowhere = is_process(by.actor) or c.holder_id is not None
    if as_nowhere and not await is_account_of(log, account_id, c.holder_id):
        account_id = nowhere(account_id)
    now = clock.now()
    return await log.change(
        Account,
        account_id,
        lambda a: a.place_hold(
            c.hold_id,
            c.amount,
            c.currency,
            now=now,
            expires_at=now + timedelta(seconds=c.lifetime_s),
            placed_by=by.actor,
        ),
    )


@handles(PlaceTransferHold, step=True)
async def place_transfer_hold(c: PlaceTransferHold, log: Log, clock: Clock, by: Caller) -> Receipt:
    """Place it once."""
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
            placed_by=by.actor,
            transfer_id=c.transfer_id,
        ),
    )


@handles(ReleaseHold)
async def release_hold(c: ReleaseHold, log: Log, by: Caller) -> Receipt:
    """Release it once."""
    if not is_process(by.actor) and not await is_account(log, c.account_id):
        raise UnknownAccount(f"no account was opened under {c.account_id}; check it")
    return await log.change(
        Account, c.account_id, lambda a: a.funds.release_hold(c.hold_id, by.actor)
    )


@handles(ExpireHold, step=True)
async def expire_hold(c: ExpireHold, log: Log) -> Receipt:
    """Expire it once."""
    return await log.change(Account, c.account_id, lambda a: a.funds.expire_hold(c.hold_id))
