"""What the rules say no with; where a process waits for the answer, the `code` is in a fact."""

from domain import Forbidden, Invalid, NotFound, Refused


class UnknownAccount(NotFound, code="account_not_found"):
    """No account was opened under the id."""


class AccountExists(Refused, code="account_exists"):
    """The id is that of another account."""


class CreditLimitNotAllowed(Invalid, code="credit_limit_not_allowed"):
    """Only credit accounts have a credit limit."""


class AccountIsClosed(Refused, code="account_closed"):
    """A closed account takes part in nothing."""


class AccountIsFrozen(Refused, code="account_frozen"):
    """Nothing leaves a frozen account."""


class CurrencyMismatch(Refused, code="currency_mismatch"):
    """An account has one currency."""


class InsufficientFunds(Refused, code="insufficient_funds"):
    """More than what is available: balance and credit limit less what is held."""


class BalanceLimit(Refused, code="balance_limit"):
    """The account would hold more than an account can count."""


class AccountNotEmpty(Refused, code="account_not_empty"):
    """There is money on the account, owed by it, held, or on its way from it."""


class TooManyHolds(Refused, code="too_many_holds"):
    """The account has as many unresolved holds as one account may have."""


class TooManyInFlight(Refused, code="too_many_in_flight"):
    """As many transfers are on their way from the account as may be at one time."""


class HoldNotFound(Refused, code="hold_not_found"):
    """The account has no such hold, or it is resolved, or it serves something else."""


class HoldIsExpired(Refused, code="hold_expired"):
    """The hold's time has passed."""


class HoldTooSmall(Refused, code="hold_too_small"):
    """More was asked for than the hold keeps."""


class HoldOfProcess(Forbidden, code="hold_of_process"):
    """What a process holds, only a process releases."""


class DebitTooLate(Refused, code="timed_out"):
    """The transfer's time for taking money has passed."""


class UnknownTransfer(NotFound, code="transfer_not_found"):
    """No transfer was requested under the id."""


class TransferExists(Refused, code="transfer_exists"):
    """The id is that of another transfer."""


class TransferToSelf(Invalid, code="transfer_to_self"):
    """Money must go somewhere."""
