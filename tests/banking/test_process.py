"""Who may take a process's steps, and which ids callers may choose."""

from uuid import UUID, uuid5

import pytest
from pydantic import ValidationError

from commands import Caller
from commands.banking.account import OpenAccount
from commands.banking.process import actor_of
from commands.banking.transfer import RequestTransfer
from domain.banking.derived import derived_id, is_derived
from domain.banking.process import ProcessOnly, require_process
from tests.banking.bank import ALICE, BOB, CASH, HOLDERS, alice, process


def test_only_a_process_takes_steps() -> None:
    require_process(process.actor)
    with pytest.raises(ProcessOnly):
        require_process(alice.actor)


def test_one_person_is_one_actor_however_spelt() -> None:
    assert actor_of(Caller(actor=alice.actor.upper())) == alice.actor
    assert actor_of(process) == process.actor


def test_derived_ids_are_told_from_those_that_callers_derive() -> None:
    assert derived_id(ALICE, "cash") == derived_id(ALICE, "cash")
    assert is_derived(derived_id(ALICE, "cash"))
    assert not is_derived(uuid5(ALICE, "cash"))
    assert derived_id(ALICE, "cash") != derived_id(BOB, "cash")


@pytest.mark.parametrize("id", [CASH])
def test_nobody_puts_something_where_the_cash_account_is_about_to_be(id: UUID) -> None:
    with pytest.raises(ValidationError):
        OpenAccount(account_id=id, holder_id=HOLDERS[ALICE], kind="savings", currency="EUR")
    with pytest.raises(ValidationError):
        RequestTransfer(transfer_id=id, source=ALICE, target=BOB, amount=1, currency="EUR")
