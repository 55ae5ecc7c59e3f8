"""A simulated acquirer: the card token says how it behaves, its memory keeps it consistent."""

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from commands.commerce.payment import SettleAuthorisation
from domain import Money, Refused
from domain.commerce.gateway import Answer, Outcome

MAX_REMEMBERED = 100_000
"""Authorisations in memory; the oldest go first."""

APPROVED = Answer(Outcome.APPROVED)
UNKNOWN = Answer(Outcome.UNKNOWN)

Deliver = Callable[[object], Awaitable[object]]


class SimulatedAcquirer:
    """A `Gateway` without a network. It never loses what it answered while the process lives.

    | token | behaviour |
    |---|---|
    | `tok_decline` | declines the authorisation |
    | `tok_timeout` | never answers the authorisation |
    | `tok_late` | does not answer when asked, and approves by itself later |
    | `tok_late_decline` | the same, and declines |
    | `tok_twice` | approves, and says so again later |
    | `tok_slow` | does not answer the first time, approves when asked again |
    | `tok_capture_decline` | approves, then declines the capture |
    | `tok_capture_timeout` | approves, then never answers the capture |
    | `tok_capture_slow` | approves, then answers the capture when asked again |
    | `tok_void_slow` | approves, then answers the void when asked again |
    | `tok_void_timeout` | approves, then never answers the void |
    | `tok_refund_decline` | takes the money, then declines every refund |
    | `tok_refund_timeout` | takes the money, then never answers a refund |
    | `tok_refund_slow` | takes the money, then answers a refund when asked again |
    | any other | approves everything |
    """

    def __init__(self) -> None:
        self.late: deque[SettleAuthorisation] = deque()
        """Answers that are due by themselves, oldest first."""
        self.deliver: Deliver | None = None
        """Takes a late answer as a command; set by wiring."""
        self._cards: OrderedDict[str, _Card] = OrderedDict()

    async def authorise(self, reference: str, card_token: str, amount: Money) -> Answer:
        """Hold `amount`, or not, as the token says."""
        card = self._card(reference)
        card.token = card_token
        again = card.again("authorise")
        if card.voided:
            return Answer(Outcome.DECLINED, "voided")
        match card_token:
            case "tok_decline":
                return Answer(Outcome.DECLINED, "card_declined")
            case "tok_timeout":
                return UNKNOWN
            case "tok_late" | "tok_late_decline":
                if not again:
                    self._due(reference, card_token == "tok_late", amount)  # noqa: S105
                return UNKNOWN
            case "tok_slow" if not again:
                return UNKNOWN
            case "tok_twice" if not again:
                self._due(reference, True, amount)
        return APPROVED

    async def capture(self, reference: str, amount: Money) -> Answer:
        """Take `amount` of the authorisation."""
        card = self._card(reference)
        again = card.again("capture")
        if card.voided:
            return Answer(Outcome.DECLINED, "voided")
        match card.token:
            case "tok_capture_decline":
                return Answer(Outcome.DECLINED, "capture_declined")
            case "tok_capture_timeout":
                return UNKNOWN
            case "tok_capture_slow" if not again:
                return UNKNOWN
        return APPROVED

    async def void(self, reference: str) -> Answer:
        """Undo the authorisation; from now on it holds nothing."""
        card = self._card(reference)
        again = card.again("void")
        card.voided = True
        match card.token:
            case "tok_void_timeout":
                return UNKNOWN
            case "tok_void_slow" if not again:
                return UNKNOWN
        return APPROVED

    async def refund(self, reference: str, refund_reference: str, amount: Money) -> Answer:
        """Send `amount` back."""
        card = self._card(reference)
        again = card.again(f"refund {refund_reference}")
        match card.token:
            case "tok_refund_decline":
                return Answer(Outcome.DECLINED, "refund_declined")
            case "tok_refund_timeout":
                return UNKNOWN
            case "tok_refund_slow" if not again:
                return UNKNOWN
        return APPROVED

    async def deliver_late(self) -> None:
        """Give the answers that are due to `deliver`. One that it could not take stays due; one
        that the rules refuse does not: it would be refused again.
        """
        if self.deliver is None:
            raise RuntimeError("nobody takes late answers; set `deliver` first")
        while self.late:
            answer = self.late.popleft()
            try:
                await self.deliver(answer)
            except Refused:
                continue
            except BaseException:
                self.late.appendleft(answer)
                raise

    def _card(self, reference: str) -> "_Card":
        card = self._cards.setdefault(reference, _Card())
        while len(self._cards) > MAX_REMEMBERED:
            self._cards.popitem(last=False)
        return card

    def _due(self, reference: str, approved: bool, amount: Money) -> None:
        self.late.append(
            SettleAuthorisation(
                payment_id=UUID(reference),
                reference=reference,
                approved=approved,
                amount=amount.amount,
                currency=amount.currency,
                reason="" if approved else "card_declined",
            )
        )


@dataclass(slots=True)
class _Card:
    """What is remembered of one authorisation. One from before a restart behaves well."""

    token: str = ""
    voided: bool = False
    asked: set[str] = field(default_factory=set)

    def again(self, what: str) -> bool:
        """Note a question; return whether it was asked before."""
        before = what in self.asked
        self.asked.add(what)
        return before
