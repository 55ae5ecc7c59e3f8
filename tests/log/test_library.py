"""Applications of the eventsourcing library on our log, and our facts in the library's hands."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.cipher import AESCipher
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError, MapperDeserialisationError, StoredEvent
from eventsourcing.projection import ApplicationSubscription

from commands import Caller
from commands.banking.account import DepositMoney, OpenAccount, WithdrawMoney
from domain.banking.account import Account, AccountClosed, AccountFrozen, AccountOpened
from domain.banking.posting import MoneyDeposited
from domain.banking.refusal import AccountIsFrozen
from infra.log.factory import LogFactory
from infra.log.mapper import FactMapper, Folded, RecordedFact, folding
from infra.log.port import Stored
from infra.settings import Settings
from projections.banking.account import account as account_query
from tests.scenario import TELLER, Scenario

ALICE = UUID(int=1)
HOLDER = UUID(int=2)
KEY = AESCipher.create_key(16)
OPENED = AccountOpened(holder_id=HOLDER, kind="checking", currency="EUR", number="1")


class Dog(Aggregate):
    INITIAL_VERSION = 1

    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class Kennel(Application[UUID]):
    snapshotting_intervals = {Dog: 3}  # noqa: RUF012 - as the library documents it

    def register(self, name: str) -> UUID:
        dog = Dog(name)
        self.save(dog)
        return dog.id

    def teach(self, id: UUID, *tricks: str) -> None:
        dog: Dog = self.repository.get(id)
        for trick in tricks:
            dog.add_trick(trick)
        self.save(dog)


class Branch(Application[UUID]):
    """Reads and appends facts of banking by the library's means."""


def env(settings: Settings, context: str, **more: str) -> dict[str, str]:
    return {
        "PERSISTENCE_MODULE": "infra.log.factory",
        "CONTEXT": context,
        "DATABASE_URL": settings.database_url,
        **more,
    }


@pytest.fixture
def kennel(settings: Settings) -> Iterator[Kennel]:
    with Kennel(env(settings, "kennel")) as application:
        yield application


@pytest.fixture
def branch(settings: Settings) -> Iterator[Branch]:
    more = {"AGGREGATE_CACHE_MAXSIZE": "10", "DEEPCOPY_FROM_AGGREGATE_CACHE": "n"}
    with Branch(env(settings, "banking", **more)) as application:
        yield application


def receipts(application: Application[UUID]) -> list[Stored]:
    assert isinstance(application.factory, LogFactory)
    log = application.factory.opened()
    return [stored for _, stored in log.run(log.store.receipts(limit=1_000))]


# ── the library's own aggregates ──────────────────────────────────────────────────────────────


def test_an_aggregate_is_saved_and_read_back_with_its_history(kennel):
    fido = kennel.register("Fido")
    kennel.teach(fido, "sit", "roll over")
    kennel.teach(fido, "play dead")

    dog = kennel.repository.get(fido)
    assert (dog.name, dog.tricks, dog.version) == ("Fido", ["sit", "roll over", "play dead"], 4)
    assert kennel.repository.get(fido, version=2).tricks == ["sit"]
    section = kennel.notification_log["1,10"]
    assert [item.id for item in section.items] == [1, 2, 3, 4]
    assert section.items[0].topic.endswith(":Dog.Registered")


def test_snapshots_are_taken_and_used(kennel):
    fido = kennel.register("Fido")
    kennel.teach(fido, "sit", "roll over")

    assert kennel.snapshots is not None
    assert [snapshot.originator_version for snapshot in kennel.snapshots.get(fido)] == [3]
    kennel.teach(fido, "play dead")
    assert kennel.repository.get(fido).tricks == ["sit", "roll over", "play dead"]


def test_a_stale_aggregate_cannot_be_saved(kennel):
    fido = kennel.register("Fido")
    stale: Dog = kennel.repository.get(fido)
    kennel.teach(fido, "sit")

    stale.add_trick("bark")
    with pytest.raises(IntegrityError):
        kennel.save(stale)
    assert kennel.repository.get(fido).tricks == ["sit"]


def test_positions_follow_the_order_of_events_across_aggregates(kennel):
    fido, rex = Dog("Fido"), Dog("Rex")
    facts = [fido.collect_events()[0], *rex.collect_events()]
    fido.add_trick("sit")
    recordings = kennel.save(*facts, *fido.collect_events())

    assert [recording.notification.id for recording in recordings] == [1, 2, 3]
    found = kennel.notification_log.select(1, 10)
    assert [item.originator_id for item in found] == [fido.id, rex.id, fido.id]


def test_each_save_has_a_receipt_in_the_application_s_name(kennel):
    fido = kennel.register("Fido")
    kennel.teach(fido, "sit", "roll over")
    kennel.save()

    first, second = receipts(kennel)
    assert (first.actor, first.command) == ("eventsourcing:Kennel", "kennel.insert_events")
    assert (second.stream, second.version, second.position, second.facts) == (fido, 3, 3, 2)


def test_streams_have_no_gaps(kennel):
    with pytest.raises(IntegrityError):
        kennel.recorder.insert_events([StoredEvent(ALICE, 2, "topic", b"{}")])


@pytest.mark.parametrize("more", [{"CIPHER_KEY": KEY}, {"COMPRESSOR_TOPIC": "zlib"}])
def test_facts_may_be_enciphered_and_compressed(settings, more):
    with Kennel(env(settings, "kennel", **more)) as kennel:
        fido = kennel.register("Fido")
        kennel.teach(fido, "sit", "roll over")
        assert kennel.repository.get(fido).tricks == ["sit", "roll over"]
        states = [stored.state for stored in kennel.recorder.select_events(fido)]
        assert not [state for state in states if b"Fido" in state]


# ── facts of this house ───────────────────────────────────────────────────────────────────────


def open_account(banking: Scenario, by: Caller = TELLER) -> None:
    banking.when(
        OpenAccount(account_id=ALICE, holder_id=HOLDER, kind="checking", currency="EUR"), by=by
    )


def deposit(amount: int) -> DepositMoney:
    return DepositMoney(account_id=ALICE, deposit_id=uuid4(), amount=amount, currency="EUR")


def test_the_library_reads_what_was_dispatched(banking, branch):
    open_account(banking)
    banking.when(deposit(500))

    facts = [
        branch.mapper.to_domain_event(item) for item in branch.recorder.select_notifications(1, 99)
    ]
    assert [(fact.event, fact.at) for fact in facts] == banking.facts()
    topics = [AccountOpened.TOPIC, MoneyDeposited.TOPIC]
    found = branch.recorder.select_notifications(1, 99, topics=topics)
    assert [item.topic for item in found] == topics
    assert {fact.at.actor for fact in branch.events.get(ALICE)} == {TELLER.actor}


def test_a_repository_folds_our_states(banking, branch):
    open_account(banking)
    banking.when(deposit(500))
    read = branch.repository.get(ALICE, projector_func=folding(Account))
    assert (read.id, read.version, read.state) == (ALICE, 2, banking.state(Account, ALICE))

    banking.when(deposit(250))
    newer: Folded[Account] = branch.repository.get(ALICE, projector_func=folding(Account))
    assert (newer.version, newer.state) == (3, banking.state(Account, ALICE))
    assert branch.repository.get(ALICE, version=2, projector_func=folding(Account)) == read


def test_snapshots_that_aorist_takes_are_none_of_the_library_s(banking, settings, monkeypatch):
    monkeypatch.setattr(Account, "SNAPSHOT_EVERY", 2)
    open_account(banking)
    banking.when(deposit(500), deposit(250))
    dot = "_" if banking.system.databases["banking"].is_sqlite else "."
    assert banking.sql(f"SELECT version FROM banking{dot}snapshots") == [(2,)]

    with Branch(env(settings, "banking", IS_SNAPSHOTTING_ENABLED="y")) as branch:
        assert branch.snapshots is not None
        assert list(branch.snapshots.get(ALICE)) == []
        read = branch.repository.get(ALICE, projector_func=folding(Account))
        assert (read.version, read.state) == (3, banking.state(Account, ALICE))


def test_what_the_library_appends_is_decided_upon_and_projected(banking, branch):
    open_account(banking)
    branch.save(RecordedFact(ALICE, 2, AccountFrozen(reason="a court order")))
    banking.settle()
    assert [row["status"] for row in banking.rows(account_query(ALICE))] == ["frozen"]

    with pytest.raises(IntegrityError):
        branch.save(RecordedFact(ALICE, 2, AccountClosed()))
    banking.when(
        WithdrawMoney(account_id=ALICE, withdrawal_id=uuid4(), amount=1, currency="EUR")
    ).refused(AccountIsFrozen)


def test_a_subscription_hears_what_is_dispatched(banking, branch):
    open_account(banking)
    position = branch.recorder.max_notification_id()
    topics = (MoneyDeposited.TOPIC,)
    with ApplicationSubscription(branch, gt=position, topics=topics) as subscription:
        for amount in (100, 200):
            banking.when(deposit(amount))
            fact, tracking = next(subscription)
            assert isinstance(fact, RecordedFact)
            assert isinstance(fact.event, MoneyDeposited)
            assert fact.event.amount == amount
            assert tracking.application_name == "Branch"


@pytest.mark.parametrize("cipher_key", [None, KEY], ids=["plain", "enciphered"])
@pytest.mark.parametrize("compressor", [None, "zlib"])
def test_a_fact_passes_the_mapper_unchanged(settings, cipher_key, compressor):
    given = {"CIPHER_KEY": cipher_key, "COMPRESSOR_TOPIC": compressor}
    more = {name: value for name, value in given.items() if value}
    mapper = LogFactory(env(settings, "banking", **more)).mapper()
    assert isinstance(mapper, FactMapper)
    fact = RecordedFact(ALICE, 1, OPENED)

    stored = mapper.to_stored_event(fact)
    assert stored.topic == AccountOpened.TOPIC
    assert mapper.to_domain_event(stored) == fact
    with pytest.raises(MapperDeserialisationError, match="version 1"):
        mapper.to_domain_event(StoredEvent(ALICE, 1, stored.topic, b"no fact"))
