"""Kafka brokers as processes of this machine: Java, the jars, a node's configuration, its start."""

import base64
import hashlib
import os
import re
import shutil
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.services._system import FOLDER, Unavailable, apt_install, free_port

OLDEST_JAVA = 17
START_SECONDS = 60
FETCH_SECONDS = 600
PROBE_SECONDS = 2
POLL_SECONDS = 0.05
METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)
"""Size, Metadata in version 1, correlation id 1, no client name, about no topics."""

POM = Path(__file__).with_name("kafka.pom.xml")
JAVA_PLACES = (  # beside the PATH
    "usr/lib/jvm/*/bin/java",  # Debian
    "opt/homebrew/opt/openjdk*/bin/java",
    "usr/local/opt/openjdk*/bin/java",
)
DEBIAN_SCRIPT = """
apt-get update
apt-get install -y --no-install-recommends default-jre-headless maven
"""
MEMORY = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC")
SOON = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:TieredStopAtLevel=1",
    "-XX:-BytecodeVerificationRemote",
    "-XX:-UsePerfData",
)
"""Compiles less and takes Kafka's classes as they are: for what runs for seconds."""
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    # A topic that nobody made is a mistake; made in passing it would have the wrong partitions.
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "8388608",  # the default takes 128 MB
}


_REMEDY = (
    f"Install Java {OLDEST_JAVA} or newer and Maven (macOS: brew install maven) or start Docker."
)


@dataclass(frozen=True, slots=True)
class Kit:
    """The program that runs brokers: a Java and the jars."""

    java: Path
    jars: Path

    def command(self, main: str, *words: str | Path, options: Sequence[str] = SOON) -> list[str]:
        """Return the command line of a main class of the jars."""
        return [str(self.java), *options, QUIET, "-cp", f"{self.jars}/*", main, *map(str, words)]


def kit() -> Kit:
    """Return what runs brokers here; installed and fetched on first use."""
    jars = jars_folder()
    found = java()
    if found is None or not (jars.exists() or shutil.which("mvn")):
        _install()
        found = java()
    if found is None:
        raise Unavailable(f"this system's package of Java is older than {OLDEST_JAVA}. {_REMEDY}")
    if not jars.exists():
        _fetch(found, jars)
    return Kit(found, jars)


def jars_folder() -> Path:
    """Return where the jars of this checkout's broker are, once they are fetched."""
    return FOLDER / f"kafka-jars-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"


def java() -> Path | None:
    """Return a Java that runs the broker, the one on the PATH where possible; None without one."""
    named = [os.environ["JAVA_HOME"] + "/bin/java"] if "JAVA_HOME" in os.environ else []
    on_path = shutil.which("java")
    candidates = [Path(path) for path in (*named, on_path) if path]
    candidates += [path for place in JAVA_PLACES for path in sorted(Path("/").glob(place))]
    return next((path for path in candidates if _version(path) >= OLDEST_JAVA), None)


def _version(java: Path) -> int:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found else 0


def _install() -> None:
    if not shutil.which("apt-get"):
        raise Unavailable(f"no Java {OLDEST_JAVA} or newer with Maven was found. {_REMEDY}")
    apt_install(DEBIAN_SCRIPT, "default-jre-headless maven")


def _fetch(java: Path, jars: Path) -> None:
    """Let Maven fetch the jars, from the repository that it is configured for."""
    print(f"fetching the jars of Kafka into {jars} …", flush=True)
    # Under another name until all are there: half of them must not be taken for a broker.
    draft = jars.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={draft}"]
    done = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", POM, *goal],
        env={**os.environ, "JAVA_HOME": str(java.resolve().parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(
            f"Maven could not fetch the jars:\n{(done.stdout or done.stderr).strip()}"
        )
    draft.rename(jars)


@dataclass(frozen=True, slots=True)
class Node:
    """Where a broker listens: for clients, and for the other nodes' controllers."""

    id: int
    port: int
    controller_port: int

    @classmethod
    def on_free_ports(cls, id: int, preferred: int = 0) -> "Node":
        """Return a node on ports that nothing listens on."""
        return cls(id, free_port(preferred), free_port())


def new_cluster() -> str:
    """Return the name of a new cluster, in Kafka's form."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Broker:
    """One node of a cluster, on a folder of its own. Replication is that of the cluster's size."""

    kit: Kit
    folder: Path
    node: Node
    nodes: tuple[Node, ...]
    extra: dict[str, str] = field(default_factory=dict)
    """Settings that the node has beside those every node has."""
    options: tuple[str, ...] = MEMORY
    """What its Java is told."""

    @property
    def config(self) -> Path:
        """Its configuration; its process is known by the path on the command line."""
        return self.folder / "server.properties"

    @property
    def log(self) -> Path:
        """What it said since its last start."""
        return self.folder / "log"

    def prepare(self, cluster: str) -> None:
        """Write its configuration; a new folder is formatted for `cluster`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in self._settings().items()]
        self.config.write_text("".join(lines), encoding="utf-8")
        if not (self.folder / "data/meta.properties").exists():
            self._format(cluster)

    def launch(self, cluster: str) -> subprocess.Popen[bytes]:
        """Start the process in a session of its own, prepared."""
        self.prepare(cluster)
        with self.log.open("wb") as log:
            return subprocess.Popen(
                self.kit.command("kafka.Kafka", self.config, options=self.options),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _format(self, cluster: str) -> None:
        # The name is one word with its option: it may begin with a dash.
        words = ("format", f"--cluster-id={cluster}", "--config", self.config)
        done = subprocess.run(
            self.kit.command("kafka.tools.StorageTool", *words),
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise Unavailable(f"its folder could not be formatted: {done.stderr.strip()}")

    def _settings(self) -> dict[str, str]:
        node, size = self.node, len(self.nodes)
        address = f"PLAINTEXT://127.0.0.1:{node.port}"
        in_sync = str(size // 2 + 1)
        return {
            **SETTINGS,
            "node.id": str(node.id),
            "listeners": f"{address},CONTROLLER://127.0.0.1:{node.controller_port}",
            "advertised.listeners": address,
            "controller.quorum.voters": ",".join(
                f"{one.id}@127.0.0.1:{one.controller_port}" for one in self.nodes
            ),
            "log.dirs": str(self.folder / "data"),
            "default.replication.factor": str(size),
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": str(size),
            "transaction.state.log.replication.factor": str(size),
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.replication.factor": str(size),
            "share.coordinator.state.topic.min.isr": in_sync,
            **self.extra,
        }

    def wait(self, process: subprocess.Popen[bytes], brokers: int = 1) -> None:
        """Wait until the node sees `brokers` of its cluster ready. Raises `Unavailable`."""
        until = time.monotonic() + START_SECONDS
        while seen(self.node.port) < brokers:
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                raise Unavailable("\n".join(["it did not start:", *tail]))
            time.sleep(POLL_SECONDS)


def seen(port: int) -> int:
    """Return how many brokers the one on `port` knows to be ready; 0 when it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), PROBE_SECONDS) as connection:
            connection.sendall(METADATA_REQUEST)
            head = connection.makefile("rb").read(12)
    except OSError:
        return 0
    return int(struct.unpack(">iii", head)[2]) if len(head) == 12 else 0
