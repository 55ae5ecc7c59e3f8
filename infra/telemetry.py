"""What the process measures of itself, for Prometheus."""

from collections.abc import Iterable
from functools import cached_property

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infra.findings import Findings

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Gauges(Collector):
    """Figures that are read when somebody asks: connections and lag."""

    def __init__(self) -> None:
        self.connections: dict[str, int] = {}
        self.lag: dict[tuple[str, str], int] = {}
        self.watch_lag: dict[tuple[str, str], int] = {}
        """Of what is watched in the background, for which nobody waits."""

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
        for (reader, context), number in (*self.lag.items(), *self.watch_lag.items()):
            lag.add_metric([reader, context], number)
        return [connections, lag]


class Telemetry:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.gauges = Gauges()
        self.registry.register(self.gauges)
        self.requests = Counter(
            "http_requests_total",
            "HTTP requests answered.",
            ["method", "endpoint", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds from a request's arrival to its last byte.",
            ["method", "endpoint"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.commands = Counter(
            "commands_total", "Commands by result.", ["command", "result"], registry=self.registry
        )
        self.command_seconds = Histogram(
            "command_duration_seconds",
            "Seconds from dispatch to receipt.",
            ["command"],
            buckets=SECONDS,
            registry=self.registry,
        )
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

        self._of_command: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        """Found once for each command and result: to find them by labels takes longer than both."""

    @cached_property
    def findings(self) -> Findings:
        """What watches and audits have found wrong."""
        return Findings(self.registry)

    def command(self, command: str, result: str, seconds: float) -> None:
        """Count a command."""
        found = self._of_command.get((command, result))
        if found is None:
            found = self.commands.labels(command, result), self.command_seconds.labels(command)
            self._of_command[command, result] = found
        counter, histogram = found
        counter.inc()
        histogram.observe(seconds)

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
