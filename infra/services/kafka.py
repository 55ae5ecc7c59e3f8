"""Kafka: one broker that is its own controller, reachable from this machine only."""

import os
import signal
import time
from collections.abc import Callable

from infra.services._brokers import (
    POLL_SECONDS,
    STOP_SECONDS,
    Broker,
    Node,
    kit,
    new_cluster,
    seen,
)
from infra.services._kcat import kcat
from infra.services._system import FOLDER, Running, Unavailable, command_of, free_port

CONTAINER_PORT = 9092
PASSWORD = ""
PORT_VARIABLE = "KAFKA_HOST_PORT"
"""Tells `compose.yaml` the port: a broker must know the address that it is reached by."""

HOME = FOLDER / "kafka"
RECORD = HOME / "server.pid"
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
    recorded = _recorded()
    if recorded and _serves(recorded[0]) and seen(recorded[1]):
        return Running(recorded[1], PASSWORD, "already running")
    stop()  # a broker that is there and does not answer
    node = Node.on_free_ports(1, _port())
    broker = Broker(kit(), HOME, node, (node,))
    process = broker.launch(new_cluster())
    RECORD.write_text(f"{process.pid}\n{node.port}\n", encoding="utf-8")
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
    recorded = _recorded()
    if recorded is None or not _serves(recorded[0]):
        return False
    for word in (signal.SIGTERM, signal.SIGKILL):
        os.kill(recorded[0], word)
        until = time.monotonic() + STOP_SECONDS
        while time.monotonic() < until:
            if not _serves(recorded[0]):
                RECORD.unlink()
                return True
            time.sleep(POLL_SECONDS)
    raise Unavailable(f"process {recorded[0]} does not end")


def _port() -> int:
    """Return the port that the broker had before, where that is free; remembered."""
    HOME.mkdir(parents=True, exist_ok=True)
    port = free_port(int(LAST_PORT.read_text(encoding="utf-8")) if LAST_PORT.exists() else 0)
    LAST_PORT.write_text(str(port), encoding="utf-8")
    return port


def _recorded() -> tuple[int, int] | None:
    """Return the process id and port of the broker that was started last."""
    try:
        pid, port = RECORD.read_text(encoding="utf-8").split()
        return int(pid), int(port)
    except FileNotFoundError:
        return None


def _serves(pid: int) -> bool:
    return str(HOME / "server.properties") in command_of(pid)
