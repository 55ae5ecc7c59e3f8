"""Which ids callers may choose, and how they are named."""

import pytest
from pydantic import ValidationError

from commands import Caller
from commands.banking.account import OpenAccount
from commands.banking.hold import PlaceHold
from commands.banking.transfer import RequestTransfer
from domain.banking.derived import DerivedId
from domain.banking.transfer import TransferCompleted
from tests.banking.bank import ALICE, BOB, CASH, HOLDERS, alice, opened, process, shop, with_money
from tests.scenario import Scenario


def test_one_person_is_one_actor_however_spelt() -> None:
    assert Caller(actor=alice.actor.upper()) == alice
    assert Caller(actor=process.actor) == process


def test_nobody_puts_an_account_where_the_cash_account_is_about_to_be() -> None:
    with pytest.raises(ValidationError):
        OpenAccount(account_id=CASH, holder_id=HOLDERS[ALICE], kind="savings", currency="EUR")


def test_only_a_process_asks_for_things_under_derived_ids(banking: Scenario) -> None:
    banking.given({ALICE: with_money(100), BOB: [opened(BOB)]})
    transfer = RequestTransfer(transfer_id=CASH, source=ALICE, target=BOB, amount=1, currency="EUR")
    hold = PlaceHold(account_id=ALICE, hold_id=CASH, amount=1, currency="EUR")
    banking.when(transfer, hold, by=alice).refused(DerivedId, DerivedId)
    banking.when(transfer, hold, by=shop)
    assert TransferCompleted() in banking.new_facts()
