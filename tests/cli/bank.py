"""Command lines about two accounts."""

from uuid import UUID

from tests.cli.program import Line

ALICE = "a11ce000-0000-4000-8000-000000000001"
BOB = "b0b00000-0000-4000-8000-000000000002"
TELLER = "7e11e400-0000-4000-8000-0000000000ff"


def opening(account: str, **more: object) -> Line:
    """A line that opens an account."""
    fields = {"account_id": account, "holder_id": account, "kind": "checking", "currency": "EUR"}
    return {"command": "OpenAccount", "fields": fields, "key": f"open:{account}", **more}


def deposit(number: int, amount: int = 100, account: str = ALICE, **more: object) -> Line:
    """A line that brings money in; each number is a deposit of its own."""
    fields = {
        "account_id": account,
        "deposit_id": str(UUID(int=number, version=4)),
        "amount": amount,
        "currency": "EUR",
    }
    return {"command": "DepositMoney", "fields": fields, **more}


def withdrawal(number: int, amount: int, account: str = ALICE, **more: object) -> Line:
    """A line that pays money out."""
    fields = {
        "account_id": account,
        "withdrawal_id": str(UUID(int=number, version=4)),
        "amount": amount,
        "currency": "EUR",
    }
    return {"command": "WithdrawMoney", "fields": fields, **more}


def transfer(id: str, amount: int, **more: object) -> Line:
    """A line that asks for money to be moved from Alice to Bob."""
    fields = {
        "transfer_id": id,
        "source": ALICE,
        "target": BOB,
        "amount": amount,
        "currency": "EUR",
    }
    return {"command": "RequestTransfer", "fields": fields, **more}
