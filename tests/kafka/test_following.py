"""Readers that follow Kafka: what they do is what they would have done from the log."""

import os
import signal
from collections import Counter
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest
from kafka import KafkaAdminClient

from commands.banking.account import DepositMoney
from commands.banking.transfer import RequestTransfer
from commands.commerce.order import WalletPart
from domain.banking.account import AccountOpened
from domain.banking.posting import AccountCredited, AccountDebited
from domain.banking.transfer import TransferCompleted
from domain.commerce.order import OrderPaid
from infra.kafka.producing import POINTS
from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, bootstrap, wait_until
from tests.cli.program import Program
from tests.commerce.shop import BUYER, CUSTOMER, MERCHANT, PRICES, TEA, named, place, stocked
from tests.kafka.conftest import Relays
from tests.kafka.mirrored import double
from tests.kafka.test_relay import KILLED
from tests.scenario import Scenario

pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["postgres"], indirect=True)]
CONTEXTS = ("banking", "commerce")
AMOUNT, SAVINGS = 10, 1_000_000
SECONDS = 90
DONE = """
SELECT (SELECT count(*) FROM banking.events WHERE topic = 'banking.transfer.completed'),
       (SELECT count(*) FROM commerce.events WHERE topic = 'commerce.order.paid')
"""
BEHIND = """
SELECT count(*) FROM {0}.readers
WHERE name LIKE '{0}.%' AND position < (SELECT position FROM {0}.head)
"""


class Bank:
    """A shop whose orders are paid from accounts; each order is a transfer as well."""

    def __init__(self, world: Scenario) -> None:
        self._world = world
        self._numbers = count(1)
        self.sent = 0
        world.given(
            {
                BUYER: [
                    AccountOpened(holder_id=CUSTOMER, kind="checking", currency="EUR", number="1")
                ],
                MERCHANT: [
                    AccountOpened(holder_id=MERCHANT, kind="checking", currency="EUR", number="2")
                ],
                **stocked(tea=500),
            }
        )
        paid_in = UUID(int=1, version=4)
        world.send(
            DepositMoney(account_id=BUYER, deposit_id=paid_in, amount=SAVINGS, currency="EUR")
        )

    def send(self) -> None:
        """Order something, and move some money besides."""
        number = next(self._numbers)
        self._world.send(place(WalletPart(account_id=BUYER), named(f"order {number}"), tea=1))
        transfer = RequestTransfer(
            transfer_id=UUID(int=number, version=4),
            source=BUYER,
            target=MERCHANT,
            amount=AMOUNT,
            currency="EUR",
        )
        self._world.send(transfer)
        self.sent += 1

    def is_done(self) -> bool:
        """Whether every process has come to its end."""
        return self._world.sql(DONE) == [(2 * self.sent, self.sent)]

    def is_seen(self) -> bool:
        """Whether every reader has come to the end of its log."""
        return all(self._world.sql(BEHIND.format(name)) == [(0,)] for name in CONTEXTS)

    def check_steps(self) -> None:
        """Each step was done once."""
        facts = [fact for fact, _ in self._world.facts()]
        for kind, wanted in (
            (AccountDebited, 2 * self.sent),
            (AccountCredited, 2 * self.sent),
        ):
            ids = Counter(fact.transfer_id for fact in facts if isinstance(fact, kind))
            assert (len(ids), max(ids.values())) == (wanted, 1), kind
        steps = Counter(
            (at.stream, at.topic)
            for _, at in self._world.facts()
            if at.topic.startswith(("banking.transfer.", "commerce.order.", "commerce.payment."))
        )
        assert {step for step, number in steps.items() if number > 1} == set()
        assert Counter(map(type, facts))[TransferCompleted] == 2 * self.sent
        assert Counter(map(type, facts))[OrderPaid] == self.sent
        balances = self._world.sql("SELECT id, balance FROM banking.accounts")
        moved = self.sent * (PRICES[TEA] + AMOUNT)
        assert {(BUYER, SAVINGS - moved), (MERCHANT, moved)} <= set(balances)


def members(prefix: str) -> int:
    """Return how many workers the consumer group has, by the broker."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap())
    try:
        (group,) = admin.describe_groups([f"{prefix}.readers"]).values()
        return len(group["members"])
    finally:
        admin.close()


def test_three_workers_and_the_relay_in_all_trouble_do_each_step_once(
    world: Scenario, settings: Settings, relays: Relays, prefix: str, tmp_path: Path
) -> None:
    bank = Bank(world)
    with ExitStack() as stack:

        def begin() -> int:
            return stack.enter_context(relays.worker(settings, prefix, CONTEXTS))

        workers = [begin() for _ in range(3)]
        for point in POINTS:
            bank.send()
            # At its second chunk, but it begins once.
            nth = 1 if point in POINTS[:2] else 2
            dying = relays.start(settings, prefix, point, nth, contexts=CONTEXTS)
            assert relays.end_of(dying) == KILLED, f"it never came to {point!r}"
        stack.enter_context(relays.running(settings, prefix, contexts=CONTEXTS))
        wait_until(lambda: members(prefix) == 3, "all three share the readers", SECONDS)
        wait_until(bank.is_done, "they follow, and the processes go on", SECONDS)

        for name in CONTEXTS:
            double(bootstrap(), f"{prefix}.{name}")
        os.kill(workers[0], signal.SIGSTOP)
        os.kill(workers[1], signal.SIGKILL)
        bank.send()
        wait_until(lambda: members(prefix) == 1, "both are past their session", SECONDS)
        wait_until(bank.is_done, "the third one does it all", SECONDS)

        os.kill(workers[0], signal.SIGCONT)  # it has nothing any more
        begin()
        bank.send()
        wait_until(lambda: members(prefix) == 3, "there are three again", SECONDS)
        bank.send()
        wait_until(bank.is_done, "it is shared again", SECONDS)
        wait_until(bank.is_seen, "the read models are there", SECONDS)
    bank.check_steps()
    for name in CONTEXTS:
        said = Program(settings.database_url, tmp_path)("check", "--context", name).out
        assert "everything holds" in said
        assert "equals a rebuild" in said
