"""How an order is paid, and what the one who moves the money can answer."""

from enum import StrEnum
from uuid import UUID

import msgspec


class Outcome(StrEnum):
    """What the acquirer says; UNKNOWN when it did not say anything in time."""

    APPROVED = "approved"
    DECLINED = "declined"
    UNKNOWN = "unknown"


class Answer(msgspec.Struct, frozen=True):
    """What the acquirer says to one request, and why."""

    outcome: Outcome
    reason: str = ""


class PaymentMethod(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is paid with: a card, or a wallet (a banking account)."""

    kind: str
    card_token: str | None = None
    account_id: UUID | None = None
    merchant_account_id: UUID | None = None

    @property
    def is_card(self) -> bool:
        """Whether the acquirer moves the money, not banking."""
        return self.kind == "card"
