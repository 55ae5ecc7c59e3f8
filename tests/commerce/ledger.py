"""An acquirer with a ledger: what really happened on cards, to compare with what was said."""

from collections.abc import Generator, Mapping
from uuid import UUID

from commands.commerce.payment import SettleAuthorisation
from domain import Money
from domain.commerce.gateway import Answer, Outcome


class Pause:
    """Let the others go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Acquirer:
    """An acquirer that knows what really happened, whatever it said.

    `plan` names for each kind of question how often it is left unanswered before the answer:
    the authorisation may be given in truth and yet not be said.
    """

    def __init__(self, approves: bool, captures: bool, silent: Mapping[str, int]) -> None:
        self.approves = approves
        self.captures = captures
        self.silent = dict(silent)
        self.held: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.returned: dict[tuple[str, str], int] = {}
        self.voided: set[str] = set()
        self.late: list[SettleAuthorisation] = []

    async def authorise(self, reference: str, card_token: str, amount: Money) -> Answer:
        await Pause()
        approved = self.approves and reference not in self.voided
        if approved and reference not in self.taken:
            self.held[reference] = amount.amount
        if self._silent("authorise"):
            self.late.append(
                SettleAuthorisation(
                    payment_id=UUID(reference),
                    reference=reference,
                    approved=approved,
                    amount=amount.amount,
                    currency=amount.currency,
                )
            )
            return Answer(Outcome.UNKNOWN)
        await Pause()
        return Answer(Outcome.APPROVED) if approved else Answer(Outcome.DECLINED, "declined")

    async def capture(self, reference: str, amount: Money) -> Answer:
        await Pause()
        if reference in self.voided or not self.captures:
            return Answer(Outcome.DECLINED, "capture_declined")
        assert reference in self.held, "captured what was not held"
        assert self.taken.setdefault(reference, amount.amount) == amount.amount
        await Pause()
        return Answer(Outcome.UNKNOWN if self._silent("capture") else Outcome.APPROVED)

    async def void(self, reference: str) -> Answer:
        await Pause()
        self.voided.add(reference)
        self.held.pop(reference, None)
        self.taken.pop(reference, None)
        await Pause()
        return Answer(Outcome.UNKNOWN if self._silent("void") else Outcome.APPROVED)

    async def refund(self, reference: str, refund_reference: str, amount: Money) -> Answer:
        await Pause()
        assert reference in self.taken, "refunded what was not taken"
        self.returned[reference, refund_reference] = amount.amount
        assert sum(self.returned.values()) <= sum(self.taken.values()), "refunded too much"
        await Pause()
        return Answer(Outcome.UNKNOWN if self._silent("refund") else Outcome.APPROVED)

    def kept(self) -> int:
        """What the merchants have of all cards."""
        return sum(self.taken.values()) - sum(self.returned.values())

    def holds(self) -> int:
        """What is held on cards and not taken."""
        return sum(self.held.values()) - sum(self.held[r] for r in self.taken)

    def _silent(self, what: str) -> bool:
        left = self.silent.get(what, 0)
        self.silent[what] = left - 1
        return left > 0
