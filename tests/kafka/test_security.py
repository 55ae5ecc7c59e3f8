"""The way to the brokers: a password (SCRAM), TLS, or both."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from infra.kafka import topics
from infra.services._brokers import MEMORY, SOON, Broker, Node, kit, new_cluster
from infra.services._system import free_port
from infra.settings import Settings
from tests.brokers import LEAVES_SOCKETS, format
from tests.certificates import certificate
from tests.cli.program import Program
from tests.kafka.test_relay import HISTORY, TOTAL
from tests.scenario import Scenario

pytestmark = [LEAVES_SOCKETS, pytest.mark.parametrize("store", ["sqlite"], indirect=True)]
SOON_MS = 3_000
USER, PASSWORD = "relay", "a password, with a comma"


class Secured(NamedTuple):
    """A broker that is reached in three ways."""

    password: int
    tls: int
    both: int
    certificate: Path


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    public, store = certificate(folder)
    node = Node.on_free_ports(1)
    ports = {"PASSWORD": free_port(), "TLS": free_port(), "BOTH": free_port()}
    outside = {"PLAINTEXT": node.port, **ports}
    advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in outside.items())
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    settings = {
        "listeners": f"{advertised},CONTROLLER://127.0.0.1:{node.controller_port}",
        "advertised.listeners": advertised,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        "PASSWORD:SASL_PLAINTEXT,TLS:SSL,BOTH:SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.password.scram-sha-512.sasl.jaas.config": login,
        "listener.name.both.scram-sha-512.sasl.jaas.config": login,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
    }
    made = Broker(kit(), folder / "broker", node, (node,), settings, (*MEMORY, *SOON))
    name = new_cluster()
    format(made, name)
    process = made.launch(name)
    try:
        made.wait(process)
        admin = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{node.port}")
        wanted = UserScramCredentialUpsertion(USER, ScramMechanism.SCRAM_SHA_512, PASSWORD)
        admin.alter_user_scram_credentials([wanted])
        admin.close()
        yield Secured(ports["PASSWORD"], ports["TLS"], ports["BOTH"], public)
    finally:
        process.kill()
        process.wait()


@contextmanager
def soon() -> Iterator[None]:
    """Give up sooner than in production: for what is refused in any case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(topics.PATIENCE, "bootstrap_timeout_ms", SOON_MS)
        yield


def mirrored(
    settings: Settings,
    prefix: str,
    port: int,
    tmp_path: Path,
    more: dict[str, object],
    code: int = 0,
) -> str:
    """Have the program mirror a log; it must end with `code`. Returns what it says."""
    env = {"bootstrap": f"127.0.0.1:{port}", "prefix": prefix, **more}
    told = {f"AORIST_KAFKA_{name.upper()}": str(value) for name, value in env.items()}
    aorist = Program(settings.database_url, tmp_path)
    words = ("mirror", "verify", "--repair", "--context", "banking")
    ended = aorist(*words, env=told, code=code)
    return ended.out + ended.err


def test_a_password_is_told_and_a_wrong_one_refused(
    banking: Scenario, settings: Settings, broker: Secured, prefix: str, tmp_path: Path
) -> None:
    banking.given(HISTORY)
    given = {"security": "SASL_PLAINTEXT", "user": USER}
    wrong: dict[str, object] = {**given, "password": "wrong"}
    with soon():
        refused = mirrored(settings, prefix, broker.password, tmp_path, wrong, 1)
    # Why is not always told: the client may see the end of the connection first.
    assert "Unable to bootstrap from" in refused
    told = mirrored(settings, prefix, broker.password, tmp_path, {**given, "password": PASSWORD})
    assert f"{TOTAL} facts are equal" in told


def test_brokers_are_reached_by_tls_when_somebody_vouches_for_them(
    banking: Scenario, settings: Settings, broker: Secured, prefix: str, tmp_path: Path
) -> None:
    banking.given(HISTORY)
    with soon():
        refused = mirrored(settings, prefix, broker.tls, tmp_path, {"security": "SSL"}, 1)
    assert "certificate verify failed" in refused
    given = {"security": "SSL", "ca_file": broker.certificate}
    assert f"{TOTAL} facts are equal" in mirrored(settings, prefix, broker.tls, tmp_path, given)


def test_a_password_is_told_by_tls(
    banking: Scenario, settings: Settings, broker: Secured, prefix: str, tmp_path: Path
) -> None:
    banking.given(HISTORY)
    given = {"security": "SASL_SSL", "user": USER, "password": PASSWORD}
    files = {"ca_file": broker.certificate}
    told = mirrored(settings, prefix, broker.both, tmp_path, {**given, **files})
    assert f"{TOTAL} facts are equal" in told
