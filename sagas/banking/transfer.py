"""The transfer: screened, approved when flagged, debited, credited; undone when a leg fails."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from commands.banking.approval import AwaitApproval, ExpireApproval, FlagTransfer
from commands.banking.hold import PlaceTransferHold, ReleaseHold
from commands.banking.posting import CreditAccount, DebitAccount, RefundAccount, SettleDebit
from commands.banking.reversal import CompleteReversal, RefuseReversal
from commands.banking.risk import AssessTransfer
from commands.banking.transfer import (
    ClearTransfer,
    CompleteTransfer,
    FailTransfer,
    TimeOutTransfer,
)
from domain import Event, Money, is_process
from domain.banking.approval import ApprovalAwaited, TransferApproved, TransferFlagged
from domain.banking.hold import HoldPlaced, HoldRefused
from domain.banking.posting import (
    AccountCredited,
    AccountDebited,
    AccountRefunded,
    CreditRefused,
    DebitRefused,
)
from domain.banking.refusal import UnknownAccount
from domain.banking.risk import Severity, TransferAssessed
from domain.banking.transfer import (
    DEBIT_WITHIN,
    UNDER_WAY,
    Status,
    Transfer,
    TransferCleared,
    TransferCompleted,
    TransferFailed,
    TransferOverdue,
    TransferRequested,
)
from sagas import Cancel, Deadline, Standing, Step, saga

SCREENED_WITHIN = timedelta(hours=1)
"""From the request to being cleared, or to waiting for approval with the money held."""
APPROVED_WITHIN = timedelta(hours=24)
ENDED_WITHIN = DEBIT_WITHIN + timedelta(minutes=5)
"""From being cleared to the end: longer than a debit may take, so that none can follow."""
HELD_FOR = APPROVED_WITHIN + SCREENED_WITHIN + ENDED_WITHIN
"""How long a flagged transfer's money is held: longer than anything that may come before."""


def _stands(transfer: Transfer) -> Standing:
    under_way = transfer.status in UNDER_WAY
    money = Money(transfer.amount, transfer.currency)
    return Standing(
        phase="overdue" if under_way and transfer.overdue else transfer.status,
        ended=not under_way and transfer.status is not Status.REVERSING,
        at_stake=money if under_way else None,
        needs_person=under_way and transfer.overdue,
    )


def _compensate(id: UUID, transfer: Transfer, _reason: str) -> object | None:
    match transfer.status:
        case Status.REQUESTED | Status.FLAGGED:
            return TimeOutTransfer(transfer_id=id)
        case Status.WAITING:
            return ExpireApproval(transfer_id=id)
    return None  # its money moves, or has moved: it goes on, or is reversed


@saga(
    process=Transfer,
    key="transfer_id",
    stands=_stands,
    compensate=_compensate,
    undoing=(ReleaseHold, RefundAccount, FailTransfer, TimeOutTransfer, ExpireApproval),
)
def react(id: UUID, fact: Event, transfer: Transfer) -> Iterable[Step]:
    """Take the next step."""
    match fact:
        case TransferRequested(accounts_known=False):
            yield FailTransfer(transfer_id=id, reason=UnknownAccount.code)
        case TransferRequested():
            yield Deadline("transfer", SCREENED_WITHIN, TimeOutTransfer(transfer_id=id))
            yield _screen(id, transfer)
        case TransferAssessed(severity=Severity.REVIEW, fired=fired):
            rules = tuple(rule.name for rule in fired)
            yield FlagTransfer(transfer_id=id, severity=fact.severity, rules=rules)
        case TransferAssessed():
            yield ClearTransfer(transfer_id=id)
        case TransferFlagged():
            yield _keep(id, transfer)
        case HoldPlaced() if transfer.status is Status.FAILED:
            yield ReleaseHold(account_id=transfer.source, hold_id=id)
        case HoldPlaced():
            yield AwaitApproval(transfer_id=id, hold_id=id)
        case HoldRefused(reason=reason):
            yield FailTransfer(transfer_id=id, reason=reason)
        case ApprovalAwaited():
            yield Cancel("transfer")
            yield Deadline("approval", APPROVED_WITHIN, ExpireApproval(transfer_id=id))
        case TransferCleared() | TransferApproved():
            yield Cancel("approval")
            yield Deadline("transfer", ENDED_WITHIN, TimeOutTransfer(transfer_id=id))
            yield _debit(id, transfer)
        case TransferOverdue():
            # Too late by now to take money: either it was taken, or the answer is a refusal.
            yield _debit(id, transfer)
        case AccountDebited():
            yield CreditAccount(
                account_id=transfer.target,
                transfer_id=id,
                amount=transfer.amount,
                currency=transfer.currency,
            )
        case AccountCredited():
            yield CompleteTransfer(transfer_id=id)
            yield SettleDebit(account_id=transfer.source, transfer_id=id)
        case CreditRefused(reason=reason):
            yield RefundAccount(account_id=transfer.source, transfer_id=id, reason=reason)
        case DebitRefused(reason=reason) | AccountRefunded(reason=reason):
            yield FailTransfer(transfer_id=id, reason=reason)
        case TransferCompleted():
            yield Cancel("transfer")
            if transfer.reverses:
                yield CompleteReversal(transfer_id=transfer.reverses, reversal_id=id)
        case TransferFailed(reason=reason):
            yield Cancel("transfer")
            yield Cancel("approval")
            if transfer.holds_itself:
                yield ReleaseHold(account_id=transfer.source, hold_id=id)
            if transfer.reverses:
                yield RefuseReversal(transfer_id=transfer.reverses, reversal_id=id, reason=reason)


def _screen(id: UUID, transfer: Transfer) -> Step:
    # A reversal undoes what was looked at before; an operator asked for it.
    if transfer.reverses:
        return ClearTransfer(transfer_id=id)
    return AssessTransfer(
        account_id=transfer.source,
        transfer_id=id,
        amount=transfer.amount,
        currency=transfer.currency,
        held=transfer.hold_id is not None,
    )


def _keep(id: UUID, transfer: Transfer) -> Step:
    if transfer.hold_id:
        return AwaitApproval(transfer_id=id, hold_id=transfer.hold_id)
    return PlaceTransferHold(
        account_id=transfer.source,
        transfer_id=id,
        amount=transfer.amount,
        currency=transfer.currency,
        lifetime_s=int(HELD_FOR.total_seconds()),
    )


def _debit(id: UUID, transfer: Transfer) -> Step:
    return DebitAccount(
        account_id=transfer.source,
        transfer_id=id,
        amount=transfer.amount,
        currency=transfer.currency,
        before=transfer.debit_before,
        hold_id=id if transfer.holds_itself else transfer.hold_id,
        by_process=is_process(transfer.requested_by),
    )
