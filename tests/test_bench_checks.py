"""What the benchmark has measured must hold: a log with a fault in it gives no figure."""

import json
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from commands import Receipt
from commands.banking.account import OpenAccount
from infra.dispatch import Meta
from tests.bench import appends, dispatch, http
from tests.bench.figures import Broken
from tests.bench.ours import deposit
from tests.scenario import TELLER, Scenario

pytestmark = pytest.mark.parametrize("store", ["postgres"])

ACCOUNT = UUID("a0000000-0000-7000-8000-000000000001")
LAST = "(SELECT position FROM banking.head)"
FAULTS = {
    "a receipt is lost": "DELETE FROM banking.receipts WHERE key = 'deposit 2'",
    "a deposit is lost": f"DELETE FROM banking.events WHERE position > {LAST} - 2",
    "positions have a gap": f"UPDATE banking.events SET position = position + 1"
    f" WHERE position = {LAST}",
    "versions have a gap": "UPDATE banking.events SET version = version + 1"
    f" WHERE stream = '{ACCOUNT}' AND version = 3",
    "a receipt names another place": "UPDATE banking.receipts SET position = position - 1"
    " WHERE key = 'deposit 2'",
}


@pytest.fixture
def receipts(banking: Scenario) -> list[Receipt]:
    """An account with two deposits; what their senders were told."""
    opening = OpenAccount(account_id=ACCOUNT, holder_id=ACCOUNT, kind="checking", currency="EUR")
    banking.run(banking.system.dispatch(opening, TELLER))
    return [
        banking.run(
            banking.system.dispatch(deposit(ACCOUNT), TELLER, Meta(key=f"deposit {number}"))
        ).receipt
        for number in (1, 2)
    ]


def check_dispatch(url: str, receipts: list[Receipt], _: Path) -> None:
    dispatch.check(url, ACCOUNT, receipts)


def check_http(url: str, receipts: list[Receipt], folder: Path) -> None:
    lines = [
        [
            f"deposit {number}",
            {
                "id": str(receipt.stream),
                "version": receipt.version,
                "position": {"context": "banking", "value": receipt.position},
            },
        ]
        for number, receipt in enumerate(receipts, 1)
    ]
    file = folder / "receipts.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    http.check(url, file)


CHECKS = [check_dispatch, check_http]


@pytest.mark.parametrize("check", CHECKS)
def test_a_sound_log_passes(banking, receipts, tmp_path, check) -> None:
    check(banking.system.databases["banking"].conninfo, receipts, tmp_path)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(banking, receipts, tmp_path, check, fault) -> None:
    url = banking.system.databases["banking"].conninfo
    with psycopg.connect(url) as connection:
        connection.execute(FAULTS[fault].encode())
    with pytest.raises(Broken):
        check(url, receipts, tmp_path)


def test_an_acknowledged_append_that_is_not_there_is_found(banking, receipts) -> None:
    url = banking.system.databases["banking"].conninfo
    with pytest.raises(Broken, match="7 were acknowledged"):
        appends.check(url, 7)
