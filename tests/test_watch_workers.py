"""The invariant watch with several workers, and with other versions of the rules."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from domain import Event, Watcher
from domain.banking import invariants as banking_rules
from infra.moves import Overtaken
from infra.settings import Settings
from infra.system import System
from infra.wiring import open_system
from tests.banking.bank import ALICE, BOB, CASH, credited, deposited, entered
from tests.scenario import Scenario, until
from tests.test_watch import FUNDED, counted, entries, put, remembered, rule_of, watch_of, watched


@pytest.fixture
def second(banking: Scenario, settings: Settings) -> Iterator[System]:
    system = banking.run(open_system(settings))
    yield system
    banking.run(system.close())


def test_two_workers_tell_a_breach_once(banking: Scenario, second: System) -> None:
    put(banking, [*FUNDED, *[(BOB, credited(1, n, UUID(int=n))) for n in range(1, 9)]])
    head = banking.head()

    async def both() -> None:
        for system in (banking.system, second):
            await system.follow()
        await until(lambda: all(watch_of(one).position == head for one in (banking.system, second)))

    banking.run(both())
    told = [entry for entry in entries(banking) if rule_of(entry) == "money is conserved"]
    assert [entry.position for entry in told] == list(range(5, 13))
    assert counted(banking.system) + counted(second) == 8
    assert [watch_of(one).failure for one in (banking.system, second)] == [None, None]


def test_one_that_comes_late_writes_nothing(banking: Scenario, second: System) -> None:
    put(banking, FUNDED)
    late = watch_of(second)
    banking.run(late.resume())
    watched(banking)
    kept = remembered(banking)
    with pytest.raises(Overtaken):
        banking.run(late.step())
    assert remembered(banking) == kept
    assert late.position == len(FUNDED)


def test_workers_that_take_turns_do_not_trust_what_they_remember(
    banking: Scenario, second: System
) -> None:
    put(banking, FUNDED)
    watched(banking)
    for turn, system in enumerate([second, banking.system, second, banking.system]):
        put(banking, [(ALICE, deposited(5, 105 + 5 * turn))])
        watched(banking, system=system)
    broken = {rule_of(entry) for entry in entries(banking)}
    assert "balances follow from postings" not in broken


class _NoTwos(Watcher):
    name = "nobody deposits twos"

    def see(self, stream: UUID, fact: Event) -> None:
        self.require(getattr(fact, "amount", 0) != 2, "a two")


def test_other_rules_start_anew_and_tell_nothing_again(banking: Scenario, second: System) -> None:
    put(banking, [*FUNDED, (BOB, credited(2, 2))])
    watched(banking)
    before = entries(banking)
    assert before
    newer = watch_of(second).watch
    newer._code, newer._watch = "newer", lambda: [*banking_rules.watch(), _NoTwos()]
    newer.reader = watch_of(second).name = f"{newer.name}:newer"
    watched(banking, system=second)
    assert [e for e in entries(banking) if e not in before] == [
        e for e in entries(banking) if rule_of(e) == "nobody deposits twos"
    ]
    assert len(entries(banking)) == len(before) + 1
    dot = "_" if banking.system.databases["banking"].is_sqlite else "."
    assert banking.sql(f"SELECT DISTINCT code FROM banking{dot}watched") == [("newer",)]
    older = watch_of(banking.system)
    put(banking, [(CASH, entered(5, -105))])
    with pytest.raises(Overtaken):
        banking.run(older.step())
    assert older.position == 0, "it starts again, with nothing remembered"
    watched(banking)
    assert {entry.position for entry in entries(banking)} == {5, 6}
