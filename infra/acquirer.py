"""A simulated acquirer: the card token says how it behaves, its memory keeps it consistent."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

import structlog

from commands import Caller
from commands.commerce.payment import Gateway, SettleAuthorisation
from domain import Money, Refused
from domain.commerce.gateway import Answer, Outcome
from domain.commerce.process import ACQUIRER
from infra.log.port import LogError

MAX_REMEMBERED = 100_000
"""Authorisations in memory; the oldest go first."""

APPROVED = Answer(Outcome.APPROVED)
UNKNOWN = Answer(Outcome.UNKNOWN)

LATE_S = 2.0
"""How long the acquirer takes for an answer that comes late."""

Deliver = Callable[[object, Caller], Awaitable[object]]
"""Dispatches a command as a caller."""

log = structlog.get_logger("aorist.acquirer")


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
    | `tok_capture_decline`, `tok_capture_timeout`, `tok_capture_slow` | so for the capture |
    | `tok_void_timeout`, `tok_void_slow` | so for the void |
    | `tok_refund_decline`, `tok_refund_timeout`, `tok_refund_slow` | so for refunds |
    | any other | approves everything |

    Tokens are joined by `+`: `tok_late+tok_void_slow`.
    """

    PORT: ClassVar[type] = Gateway

    def __init__(self) -> None:
        self.late: deque[SettleAuthorisation] = deque()
        """Answers that are due by themselves, oldest first."""
        self._cards: OrderedDict[str, _Card] = OrderedDict()

    async def authorise(self, reference: str, card_token: str, amount: Money) -> Answer:
        """Hold `amount`, or not, as the token says."""
        card = self._card(reference)
        card.tokens = frozenset(card_token.split("+"))
        again = card.again("authorise")
        if card.voided:
            return Answer(Outcome.DECLINED, "voided")
        if "tok_decline" in card.tokens:
            return Answer(Outcome.DECLINED, "card_declined")
        if card.tokens & {"tok_late", "tok_late_decline"}:
            if not again:
                self._due(reference, "tok_late" in card.tokens, amount)
            return UNKNOWN
        if "tok_timeout" in card.tokens or ("tok_slow" in card.tokens and not again):
            return UNKNOWN
        if "tok_twice" in card.tokens and not again:
            self._due(reference, True, amount)
        return APPROVED

    async def capture(self, reference: str, amount: Money) -> Answer:
        """Take `amount` of the authorisation."""
        card = self._card(reference)
        if card.voided:
            return Answer(Outcome.DECLINED, "voided")
        return card.answer("capture")

    async def void(self, reference: str) -> Answer:
        """Undo the authorisation; from now on it holds nothing, whether the answer comes or not."""
        card = self._card(reference)
        card.voided = True
        return card.answer("void")

    async def refund(self, reference: str, refund_reference: str, amount: Money) -> Answer:
        """Send `amount` back."""
        return self._card(reference).answer("refund", refund_reference)

    async def run(self, deliver: Deliver) -> None:
        """Deliver answers that come late, until cancelled."""
        while True:
            await asyncio.sleep(LATE_S)
            try:
                await self.deliver_late(deliver)
            except LogError as error:
                log.warning("late answers wait", due=len(self.late), error=str(error))

    async def deliver_late(self, deliver: Deliver) -> None:
        """Deliver the answers that are due.

        One that could not be taken stays due; one that the rules refuse does not: it would be
        refused again.
        """
        while self.late:
            answer = self.late.popleft()
            try:
                await deliver(answer, Caller(actor=ACQUIRER))
            except Refused as refusal:
                log.warning("late answer refused", code=refusal.code, reference=answer.reference)
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

    tokens: frozenset[str] = frozenset()
    voided: bool = False
    asked: set[str] = field(default_factory=set)

    def again(self, question: str) -> bool:
        """Note a question; return whether it was asked before."""
        before = question in self.asked
        self.asked.add(question)
        return before

    def answer(self, what: str, which: str = "") -> Answer:
        """Answer a capture, a void or a refund as the tokens say."""
        again = self.again(f"{what} {which}")
        if f"tok_{what}_decline" in self.tokens:
            return Answer(Outcome.DECLINED, f"{what}_declined")
        slow = f"tok_{what}_slow" in self.tokens and not again
        return UNKNOWN if slow or f"tok_{what}_timeout" in self.tokens else APPROVED
