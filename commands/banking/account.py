"""Opening, freezing and closing accounts, and money over the border."""

from typing import Literal
from uuid import UUID

from commands import (
    Caller,
    Change,
    ChosenId,
    Clock,
    Currency,
    Ids,
    Log,
    Name,
    NonNegative,
    Positive,
    Receipt,
    command,
    handles,
)
from domain import Event, Refused
from domain.banking.account import Account, Status
from domain.banking.external import External, external_id
from domain.banking.number import (
    PAYLOAD_DIGITS,
    NumberClaim,
    NumberTaken,
    claim_id,
    with_check_digits,
)
from domain.banking.refusal import UnknownAccount

MAX_DRAWS = 10
"""Numbers drawn for one account before giving up; two in a row are taken once in an age."""

Border = Literal["cash", "wire", "card"]
"""The external accounts: the places outside the bank that money comes from and goes to."""


@command
class OpenAccount:
    """Open an account for `holder_id`; its number is drawn. Only credit accounts have a limit."""

    account_id: ChosenId | None = None
    holder_id: UUID
    kind: Literal["savings", "checking", "credit", "investment"]
    currency: Currency
    credit_limit: NonNegative = 0


@command
class FreezeAccount:
    """Let no money leave the account."""

    account_id: UUID
    reason: Name


@command
class UnfreezeAccount:
    """Let money leave the account again."""

    account_id: UUID
    reason: Name


@command
class CloseAccount:
    """End an account that has no money on it, held, or on its way from it."""

    account_id: UUID


@command
class DepositMoney:
    """Bring money in; the same `deposit_id` brings it in once."""

    account_id: UUID
    deposit_id: UUID
    amount: Positive
    currency: Currency
    source: Border = "cash"


@command
class WithdrawMoney:
    """Pay money out; the same `withdrawal_id` pays it out once."""

    account_id: UUID
    withdrawal_id: UUID
    amount: Positive
    currency: Currency
    target: Border = "cash"


@handles(OpenAccount)
async def open_account(c: OpenAccount, log: Log, ids: Ids) -> Receipt:
    """Open the account and claim its number in one append; draw again when it is taken."""
    account_id = c.account_id or ids.new()
    for _ in range(MAX_DRAWS - 1):
        number = with_check_digits(ids.number(PAYLOAD_DIGITS))
        try:
            return await _open_with(number, account_id, c, log)
        except NumberTaken:
            continue
    return await _open_with(with_check_digits(ids.number(PAYLOAD_DIGITS)), account_id, c, log)


async def _open_with(number: str, account_id: UUID, c: OpenAccount, log: Log) -> Receipt:
    opened: list[Event] = []

    def opening(account: Account) -> list[Event]:
        opened[:] = account.open(
            holder_id=c.holder_id,
            kind=c.kind,
            currency=c.currency,
            number=number,
            credit_limit=c.credit_limit,
        )
        return opened

    def claiming(claim: NumberClaim) -> list[Event]:
        # An account that is open already has its number.
        return claim.claim(number, account_id) if opened else []

    return await log.change_all(
        Change(Account, account_id, opening), Change(NumberClaim, claim_id(number), claiming)
    )


@handles(FreezeAccount)
async def freeze_account(c: FreezeAccount, log: Log) -> Receipt:
    """Freeze it once."""
    return await log.change(Account, c.account_id, lambda a: a.freeze(c.reason))


@handles(UnfreezeAccount)
async def unfreeze_account(c: UnfreezeAccount, log: Log) -> Receipt:
    """Unfreeze it once."""
    return await log.change(Account, c.account_id, lambda a: a.unfreeze(c.reason))


@handles(CloseAccount)
async def close_account(c: CloseAccount, log: Log, clock: Clock) -> Receipt:
    """Close it once."""
    now = clock.now()
    return await log.change(Account, c.account_id, lambda a: a.close(now))


@handles(DepositMoney)
async def deposit_money(c: DepositMoney, log: Log) -> Receipt:
    """Post both sides of the deposit."""
    posted: list[Event] = []

    def depositing(account: Account) -> list[Event]:
        posted[:] = account.deposit(c.deposit_id, c.amount, c.currency, c.source)
        return posted

    return await log.change_all(
        Change(Account, c.account_id, depositing),
        Change(
            External,
            external_id(c.source, c.currency, c.account_id),
            lambda e: e.mirror(c.account_id, posted),
        ),
    )


@handles(WithdrawMoney)
async def withdraw_money(c: WithdrawMoney, log: Log, clock: Clock) -> Receipt:
    """Post both sides of the withdrawal."""
    now = clock.now()
    posted: list[Event] = []

    def withdrawing(account: Account) -> list[Event]:
        posted[:] = account.withdraw(c.withdrawal_id, c.amount, c.currency, c.target, now)
        return posted

    return await log.change_all(
        Change(Account, c.account_id, withdrawing),
        Change(
            External,
            external_id(c.target, c.currency, c.account_id),
            lambda e: e.mirror(c.account_id, posted),
        ),
    )


async def is_account_of(log: Log, id: UUID, holder: UUID | None) -> bool:
    """Tell whether it is an account, and of this holder if one is named."""
    if not await is_account(log, id):
        return False
    return holder is None or (await log.load(Account, id)).holder_id == holder


async def require_own(log: Log, id: UUID, by: Caller) -> None:
    """Refuse another's account as one that is not there, to who may use their own only."""
    if by.own_only and not (by.user and await is_account_of(log, id, by.user)):
        raise UnknownAccount(f"no account was opened under {id}; check it")


async def is_account(log: Log, id: UUID) -> bool:
    """Tell whether an account was opened under the id, not something else or nothing."""
    try:
        return (await log.load(Account, id)).status is not Status.NEW
    except Refused:
        return False
