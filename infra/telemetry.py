"""What the process measures of itself, for Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infra.timed import Timed

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Gauges(Collector):
    """Figures that are read when somebody asks: connections and lag."""

    def __init__(self) -> None:
        self.connections: dict[str, int] = {}
        self.lag: dict[tuple[str, str], int] = {}

    def collect(self) -> Iterable[Metric]:
        """Return the figures as they were last set."""
        connections = GaugeMetricFamily(
            "database_connections", "Connections to databases.", labels=["state"]
        )
        for state, number in self.connections.items():
            connections.add_metric([state], number)
        lag = GaugeMetricFamily(
            "reader_lag_facts", "Facts in the log behind a reader.", labels=["reader", "context"]
        )
        for (reader, context), number in self.lag.items():
            lag.add_metric([reader, context], number)
        return [connections, lag]


class Telemetry:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gauges = Gauges()
        self.registry.register(self.gauges)
        self._requests = Timed(
            ("http_requests", "HTTP requests answered."),
            (
                "http_request_duration_seconds",
                "Seconds from a request's arrival to its last byte.",
            ),
            labels=("method", "endpoint", "status"),
            shared=2,
            buckets=SECONDS,
        )
        self.registry.register(self._requests)
        self._commands = Timed(
            ("commands", "Commands by result."),
            ("command_duration_seconds", "Seconds from dispatch to receipt."),
            labels=("command", "result"),
            shared=1,
            buckets=SECONDS,
        )
        self.registry.register(self._commands)
        self.append_size = Histogram(
            "append_batch_size",
            "Appends in one transaction of a log.",
            ["context"],
            buckets=SIZES,
            registry=self.registry,
        )
        self.append_seconds = Histogram(
            "append_duration_seconds",
            "Seconds one transaction of a log took.",
            ["context"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.snapshots = Counter(
            "snapshots_total",
            "Snapshots of states by what became of them.",
            ["context", "result"],
            registry=self.registry,
        )
        self.reader_facts = Counter(
            "reader_facts_total", "Facts handled by a reader.", ["reader"], registry=self.registry
        )
        self.reader_seconds = Histogram(
            "reader_batch_duration_seconds",
            "Seconds one batch of a reader took.",
            ["reader"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def request(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.add((method, endpoint, str(status)), seconds)

    def command(self, command: str, result: str, seconds: float) -> None:
        """Count a command."""
        self._commands.add((command, result), seconds)

    def append(self, context: str, size: int, seconds: float) -> None:
        """Count a transaction of a log."""
        self.append_size.labels(context).observe(size)
        self.append_seconds.labels(context).observe(seconds)

    def snapshot(self, context: str, result: str) -> None:
        """Count a snapshot: taken, used, unfit, skipped, failed."""
        self.snapshots.labels(context, result).inc()

    def reader(self, reader: str, facts: int, seconds: float) -> None:
        """Count a batch of a reader."""
        self.reader_facts.labels(reader).inc(facts)
        self.reader_seconds.labels(reader).observe(seconds)
