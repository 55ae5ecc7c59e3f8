import asyncio

import pytest

from domain import Money, NotFound
from domain.commerce.gateway import Outcome
from domain.commerce.process import ACQUIRER
from infra.acquirer import SimulatedAcquirer
from tests.commerce.shop import PAYMENT

PRICE = Money(100, "EUR")
REFERENCE = str(PAYMENT)
YES, NO, SILENCE = Outcome.APPROVED, Outcome.DECLINED, Outcome.UNKNOWN


def asked(token, *questions):
    """Ask a new acquirer several things about one card; return it and its outcomes."""
    acquirer = SimulatedAcquirer()

    async def ask():
        answers = []
        for question in questions:
            match question:
                case "authorise":
                    answer = acquirer.authorise(REFERENCE, token, PRICE)
                case "capture":
                    answer = acquirer.capture(REFERENCE, PRICE)
                case "void":
                    answer = acquirer.void(REFERENCE)
                case _:
                    answer = acquirer.refund(REFERENCE, question, PRICE)
            answers.append((await answer).outcome)
        return answers

    return acquirer, asyncio.run(ask())


@pytest.mark.parametrize(
    ("token", "questions", "outcomes"),
    [
        ("tok_approve", ["authorise", "capture", "refund 1"], [YES, YES, YES]),
        ("tok_decline", ["authorise", "authorise"], [NO, NO]),
        ("tok_timeout", ["authorise", "authorise", "void"], [SILENCE, SILENCE, YES]),
        ("tok_slow", ["authorise", "authorise"], [SILENCE, YES]),
        ("tok_late", ["authorise", "authorise"], [SILENCE, SILENCE]),
        ("tok_twice", ["authorise", "authorise"], [YES, YES]),
        ("tok_capture_decline", ["authorise", "capture"], [YES, NO]),
        ("tok_capture_slow", ["authorise", "capture", "capture"], [YES, SILENCE, YES]),
        ("tok_void_slow", ["authorise", "void", "void"], [YES, SILENCE, YES]),
        ("tok_approve", ["void", "authorise", "capture"], [YES, NO, NO]),
        ("tok_refund_slow", ["authorise", "a", "b", "a"], [YES, SILENCE, SILENCE, YES]),
        ("tok_slow+tok_refund_decline", ["authorise", "authorise", "a"], [SILENCE, YES, NO]),
    ],
)
def test_the_token_says_how_the_acquirer_behaves(token, questions, outcomes):
    assert asked(token, *questions)[1] == outcomes


@pytest.mark.parametrize(
    ("token", "approved"),
    [("tok_late", [True]), ("tok_late_decline", [False]), ("tok_twice", [True]), ("tok_slow", [])],
)
def test_late_answers_are_due_once(token, approved):
    acquirer, _ = asked(token, "authorise", "authorise")
    assert [answer.approved for answer in acquirer.late] == approved


def test_a_late_answer_stays_due_until_somebody_could_take_it():
    acquirer, _ = asked("tok_late", "authorise")
    taken = []

    async def away(command, by):
        raise ConnectionError("the store is away")

    async def take(command, by):
        assert by.actor == ACQUIRER
        taken.append(command)

    async def refuse(command, by):
        raise NotFound("no such payment; check the id")

    with pytest.raises(ConnectionError):
        asyncio.run(acquirer.deliver_late(away))
    asyncio.run(acquirer.deliver_late(take))
    assert [(answer.reference, answer.amount) for answer in taken] == [(REFERENCE, 100)]
    assert not acquirer.late
    acquirer.late.append(taken[0])
    asyncio.run(acquirer.deliver_late(refuse))
    assert not acquirer.late
