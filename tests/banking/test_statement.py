"""Statements: every line follows from the one before, and a past balance is what a replay gives."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain import Envelope, Event
from domain.banking.account import Account
from domain.banking.posting import AccountRefunded, MoneyWithdrawn
from projections.banking.statement import balance, lines, project, statement, totals
from tests.banking.bank import ALICE, BOB, NOON, T, alice, credited, debited, deposited, opened, pay
from tests.scenario import Scenario


def shown(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR"}


def history() -> list[Event]:
    back = AccountRefunded(
        transfer_id=T, amount=40, currency="EUR", balance=100, reason="account_closed"
    )
    paid = MoneyWithdrawn(withdrawal_id=BOB, amount=30, currency="EUR", balance=70, target="wire")
    return [opened(), deposited(100), debited(), back, paid, credited(5, 75, BOB)]


def test_a_statement_runs(banking: Scenario) -> None:
    banking.given({ALICE: history()})
    rows = banking.rows(statement(ALICE))
    assert [row["kind"] for row in rows] == [
        "opening",
        "deposit",
        "transfer_out",
        "refund",
        "withdrawal",
        "transfer_in",
    ]
    assert [row["amount"]["amount"] for row in rows] == [0, 100, -40, 40, -30, 5]
    assert [row["balance"]["amount"] for row in rows] == [0, 100, 60, 100, 70, 75]
    assert [row["detail"] for row in rows] == [None, "cash", None, "account_closed", "wire", None]
    assert banking.rows(totals(ALICE)) == [
        {
            "account_id": ALICE,
            "currency": "EUR",
            "opening": shown(0),
            "credits": shown(145),
            "debits": shown(-70),
            "closing": shown(75),
        }
    ]
    assert banking.rows(totals(BOB)) == []


def test_a_period_opens_with_what_came_before_it(banking: Scenario) -> None:
    banking.given({ALICE: history()[:3]})
    banking.given({ALICE: history()[3:]})
    later = banking.rows(statement(ALICE))[3]["posted_at"]
    [before] = banking.rows(totals(ALICE, until=later))
    [after] = banking.rows(totals(ALICE, since=later))
    assert before["closing"] == after["opening"] == shown(60)
    assert after["closing"] == shown(75)
    assert after["credits"]["amount"] + after["debits"]["amount"] == 15
    assert len(banking.rows(statement(ALICE, until=later))) == 3
    assert len(banking.rows(statement(ALICE, since=later))) == 3


def test_a_balance_at_a_time_is_what_a_replay_gives(banking: Scenario) -> None:
    banking.given({ALICE: [opened()], BOB: [opened(BOB)]})
    banking.given({ALICE: [deposited(100)]})
    banking.when(pay(), by=alice)
    told = [(fact, at) for fact, at in banking.facts() if at.stream == ALICE]
    for _, at in told:
        replayed = Account().fold(f for f, a in told if a.time <= at.time)
        [row] = banking.rows(balance(ALICE, at.time))[:1]
        assert row["balance"] == shown(replayed.funds.balance)
    assert banking.rows(balance(ALICE))[0]["balance"] == shown(60)
    assert banking.rows(balance(ALICE, told[0][1].time - timedelta(seconds=1))) == []


moves = st.lists(st.integers(-50, 50).filter(bool), max_size=20)


class Rows:
    """Inserted lines, in memory."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []

    def insert(self, table: object, **values: object) -> None:
        assert table is lines
        self.lines.append(values)


def at(position: int) -> Envelope:
    return Envelope(
        context="banking",
        stream=ALICE,
        version=position,
        position=position,
        topic="",
        time=NOON,
        actor="",
        command_id=T,
        correlation_id=T,
    )


@given(moves)
def test_every_line_is_the_one_before_and_its_amount(amounts: list[int]) -> None:
    account = Account().fold([opened(kind="credit", credit_limit=10**6)])
    facts: list[Event] = [opened()]
    for number, amount in enumerate(amounts):
        id = UUID(int=number)
        made = (
            account.deposit(id, amount, "EUR", "cash")
            if amount > 0
            else account.withdraw(id, -amount, "EUR", "cash", NOON)
        )
        account = account.fold(made)
        facts += made
    rows = Rows()
    for position, fact in enumerate(facts):
        project(fact, at(position), rows)  # type: ignore[arg-type]
    balances = [line["balance"] for line in rows.lines]
    assert balances[0] == 0
    for line, before in zip(rows.lines[1:], balances, strict=False):
        assert line["balance"] == before + line["amount"]  # type: ignore[operator]
    assert balances[-1] == account.funds.balance == sum(amounts)
    assert len(rows.lines) == len(amounts) + 1
