"""A schema registry of others gives the ids: the relay, readers and foreign clients use them."""

from pathlib import Path
from uuid import UUID

import pytest

from infra.configuration import load
from infra.kafka.following import KafkaTail
from infra.kafka.ids import ids_of
from infra.kafka.merging import Decoder
from infra.log.port import Unavailable
from infra.schemas.registry import Registry, RegistryFails
from infra.schemas.versions import committed
from infra.services._system import free_port
from infra.settings import Settings, WrongConfiguration
from tests.brokers import LEAVES_SOCKETS, bootstrap, wait_until
from tests.cli.program import Program
from tests.kafka.beside import beside
from tests.kafka.mirrored import FACTS
from tests.kafka.outside import FIRST_ID, outside
from tests.kafka.test_foreign import consumed
from tests.kafka.test_relay import FACTS_OF_EACH, HISTORY, TOTAL
from tests.kafka.test_standing import FAILING, LAG
from tests.scenario import Scenario

pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["sqlite"], indirect=True)]
VERSIONS = committed()
ONE = VERSIONS.by_subject["banking.account.opened"][0]


def tail(banking: Scenario, prefix: str, registry: str) -> KafkaTail:
    """What readers of the topic read through."""
    system = banking.system
    return KafkaTail(
        system.logs["banking"].store,
        system.codec,
        system.tails["banking"],
        {"bootstrap_servers": bootstrap()},
        f"{prefix}.banking",
        Decoder(FACTS, VERSIONS, ids_of(registry, VERSIONS)),
    )


def test_its_ids_are_in_the_messages_and_everybody_reads_by_them(
    banking: Scenario, settings: Settings, prefix: str, tmp_path: Path
) -> None:
    banking.given(HISTORY)
    with outside() as registry:
        with beside(settings, prefix, schema_registry_url=registry.url) as told:
            wait_until(lambda: told.figure(LAG) == 0, "all is sent")
        found = consumed(prefix, registry.url, TOTAL)
        for message, _ in found.values():
            id = int.from_bytes((message.value() or b"")[1:5])
            subject, schema = registry.schemas[id - FIRST_ID]
            assert subject.encode() == dict(message.headers() or ())["ce_type"]
            assert schema == VERSIONS.by_subject[subject][-1].schema

        reading = tail(banking, prefix, registry.url)
        facts = banking.facts()
        assert list(banking.run(reading.read(0, TOTAL))) == facts
        banking.run(reading.close())

        # The same by the program; to one that is not told of the registry these are strangers.
        verify = ("mirror", "verify", "--context", "banking")
        aorist = Program(settings.database_url, tmp_path)
        env = {"AORIST_KAFKA_BOOTSTRAP": bootstrap(), "AORIST_KAFKA_PREFIX": prefix}
        with_registry = {**env, "AORIST_SCHEMA_REGISTRY_URL": registry.url}
        assert f"{TOTAL} facts are equal" in aorist(*verify, env=with_registry).out
        assert "position 1 is another message" in aorist(*verify, env=env, code=1).out
        registry.is_away = True
        ended = aorist(*verify, env=with_registry, code=1)
        assert f"schema registry {registry.url} does not answer: " in ended.err


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ({"is_away": True}, "does not answer: RemoteDisconnected"),
        ({"refusal": (409, "incompatible")}, "refuses banking.account.opened: 409 incompatible"),
    ],
)
def test_while_it_is_away_or_refuses_the_relay_waits_and_says_so(
    banking: Scenario,
    settings: Settings,
    prefix: str,
    trouble: dict[str, object],
    says: str,
) -> None:
    with outside() as registry:
        vars(registry).update(trouble)
        with beside(settings, prefix, schema_registry_url=registry.url) as told:
            wait_until(lambda: told.figure(FAILING) == 1, "it cannot go on")
            banking.given({UUID(int=1): HISTORY[UUID(int=1)]})  # commands do
            wait_until(lambda: told.figure(LAG) == FACTS_OF_EACH, "it says how far behind it is")
            code, (problem,) = told.ready()
            assert code == 503
            assert f"relay banking: RegistryFails: schema registry {registry.url} {says}" in problem
            vars(registry).update({"is_away": False, "refusal": None})
            wait_until(lambda: told.ready() == (200, []), "it goes on")
            wait_until(lambda: told.figure(LAG) == 0, "it catches up")


def test_readers_wait_for_it_and_what_was_written_without_it_is_read_all_the_same(
    banking: Scenario, settings: Settings, prefix: str
) -> None:
    banking.given({UUID(int=1): HISTORY[UUID(int=1)]})
    with outside() as registry:
        with beside(settings, prefix) as told:
            wait_until(lambda: told.figure(LAG) == 0, "all is sent, with ids of our own")
        reading = tail(banking, prefix, registry.url)
        registry.is_away = True
        with pytest.raises(Unavailable, match="does not answer"):
            banking.run(reading.read(0, TOTAL))
        registry.is_away = False
        assert list(banking.run(reading.read(0, TOTAL))) == banking.facts()
        banking.run(reading.close())


def test_it_is_told_a_password_that_no_message_has(store: str) -> None:
    with outside() as registry:
        asked = Registry(registry.url.replace("://", "://me:se%40cret@"))
        id = asked.id_of(ONE)
        assert asked.id_of(ONE) == id == FIRST_ID
        assert asked.schema(id) == ONE.schema
        assert asked.schema(id + 1) is None
        assert set(registry.told) == {"Basic bWU6c2VAY3JldA=="}
        registry.is_away = True
        with pytest.raises(RegistryFails) as told:
            asked.schema(id)
    assert "secret" not in str(told.value)
    with pytest.raises(RegistryFails, match="does not answer: ConnectionRefusedError"):
        Registry(f"http://127.0.0.1:{free_port()}").schema(1)


def test_an_address_that_is_none_is_refused(store: str) -> None:
    with pytest.raises(WrongConfiguration, match="no address of a registry; use http"):
        load(schema_registry_url="registry:8081")
