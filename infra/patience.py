"""A gateway that may be slow or broken: whatever it does, the process gets an answer in time."""

import asyncio
from collections.abc import Awaitable

import structlog

from commands.commerce.payment import Gateway
from domain import Money
from domain.commerce.gateway import Answer, Outcome

ANSWER_S = 10.0
"""How long an answer is waited for; a command waits as long, and others wait for it."""
UNKNOWN = Answer(Outcome.UNKNOWN)

log = structlog.get_logger("aorist.gateway")


class Patience:
    """Another gateway's answers. Silence and faults are UNKNOWN: the process asks again, later.

    It is bounded there how often that is done, and what follows from it; see the payment's saga.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def authorise(self, reference: str, card_token: str, amount: Money) -> Answer:
        """Hold `amount`."""
        return await self._answer(self._gateway.authorise(reference, card_token, amount), reference)

    async def capture(self, reference: str, amount: Money) -> Answer:
        """Take `amount`."""
        return await self._answer(self._gateway.capture(reference, amount), reference)

    async def void(self, reference: str) -> Answer:
        """Undo an authorisation."""
        return await self._answer(self._gateway.void(reference), reference)

    async def refund(self, reference: str, refund_reference: str, amount: Money) -> Answer:
        """Send `amount` back."""
        return await self._answer(
            self._gateway.refund(reference, refund_reference, amount), reference
        )

    async def _answer(self, asked: Awaitable[Answer], reference: str) -> Answer:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asked
        except Exception as error:  # noqa: BLE001 - whether it was done is unknown, whatever it is
            log.warning("gateway failed", reference=reference, error=type(error).__name__)
            return UNKNOWN
