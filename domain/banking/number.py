"""Account numbers: digits that detect a mistyped one, each given to one account only."""

from uuid import UUID, uuid5

from domain import Event, Refused, State

PAYLOAD_DIGITS = 12
"""Digits of a number before its check digits."""
NUMBERS = UUID("0d9f6a53-6d0c-4c55-8c0e-6d0a53f6f2a1")
"""Namespace of the claims' stream ids."""

_MODULUS = 97


class NumberClaimed(Event, frozen=True):
    """An account got this number."""

    TOPIC = "banking.number.claimed"
    number: str
    account_id: UUID


class NumberTaken(Refused, code="number_taken"):
    """Another account has the number."""


class NumberClaim(State, frozen=True):
    """Who has one number."""

    KIND = "banking.number"
    account_id: UUID | None = None

    def claim(self, number: str, account_id: UUID) -> list[Event]:
        """Give the number to an account. Raises `NumberTaken`."""
        if self.account_id == account_id:
            return []
        if self.account_id is not None:
            raise NumberTaken(f"number {number} belongs to another account; draw another one")
        return [NumberClaimed(number=number, account_id=account_id)]

    def evolve(self, event: Event) -> "NumberClaim":
        """Remember the owner."""
        match event:
            case NumberClaimed(account_id=account_id):
                return NumberClaim(account_id=account_id)
        return self


def claim_id(number: str) -> UUID:
    """Return the stream on which `number` is claimed."""
    return uuid5(NUMBERS, number)


def with_check_digits(payload: int) -> str:
    """Return the number made of `payload` and its two check digits (ISO 7064, MOD 97-10)."""
    digits = f"{payload:0{PAYLOAD_DIGITS}d}"
    check = _MODULUS + 1 - int(digits + "00") % _MODULUS
    return f"{digits}{check:02d}"


def is_number(text: str) -> bool:
    """Tell whether `text` is a well-formed number: every single wrong digit is found."""
    well_formed = text.isascii() and text.isdigit() and len(text) == PAYLOAD_DIGITS + 2
    return well_formed and int(text) % _MODULUS == 1
