"""Kafka: one broker that is its own controller, reachable from this machine only."""

from collections.abc import Callable

from infra.services._brokers import Broker, Node, kit, new_cluster, seen
from infra.services._kcat import kcat
from infra.services._system import FOLDER, Record, Running, Unavailable, port_again

CONTAINER_PORT = 9092
PASSWORD = ""
STOP_SECONDS = 30
PORT_VARIABLE = "KAFKA_HOST_PORT"
"""Tells `compose.yaml` the port: a broker must know the address that it is reached by."""

HOME = FOLDER / "kafka"
RECORD = Record(HOME / "server.pid", HOME / "server.properties")
LAST_PORT = HOME / "port"


def environment(running: Running) -> dict[str, str]:
    """Return the variable by which the tests find the broker.

    Aorist's own setting is not among them: a broker that is there is no reason to write to it.
    """
    return {"AORIST_TEST_KAFKA_BOOTSTRAP": f"127.0.0.1:{running.port}"}


def prepare(run: Callable[..., str]) -> None:
    """Nothing is missing in a new broker: who uses a topic makes it."""


def container_variables(running_port: int | None) -> dict[str, str]:
    """Return what `compose.yaml` takes from the environment."""
    return {PORT_VARIABLE: str(running_port or _port())}


def start() -> Running:
    """Start the broker on this checkout's data, made on first use; or find it running."""
    running = RECORD.running()
    if running and seen(running[1]):
        return Running(running[1], PASSWORD, "already running")
    stop()  # a broker that is there and does not answer
    node = Node.on_free_ports(1, _port())
    broker = Broker(kit(), HOME, node, (node,))
    process = broker.launch(new_cluster())
    RECORD.file.write_text(f"{process.pid}\n{node.port}\n", encoding="utf-8")
    broker.wait(process)
    _equip()
    return Running(node.port, PASSWORD, f"started on {HOME / 'data'}")


def _equip() -> None:
    """Have kcat installed, where that needs nobody: the broker does without."""
    try:
        kcat()
    except Unavailable as reason:
        print(f"kafka: a test reads the mirror by kcat, and {reason}", flush=True)


def stop() -> bool:
    """Stop the broker that `start` started; False when it was not running."""
    return RECORD.stop(STOP_SECONDS)


def _port() -> int:
    """Return the port that the broker had before, where that is free; remembered."""
    HOME.mkdir(parents=True, exist_ok=True)
    port = port_again(LAST_PORT)
    LAST_PORT.write_text(str(port), encoding="utf-8")
    return port
