"""What the process measures of itself, for Prometheus."""

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infra.guarding.findings import Findings
from infra.timed import Timed

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class ParkedGauges(NamedTuple):
    """What a reader has parked."""

    facts: int
    keys: int
    lag: int
    """Facts from the oldest one to the end of the log."""
    age_s: float
    """Seconds since the oldest one was parked."""


HEALTH = "How a reader is: 2 well, 1 has parked facts, 0 stopped."
PARKED = (
    ("reader_parked_facts", "Facts that stand aside because a reader cannot handle them."),
    ("reader_parked_keys", "Keys that facts of a reader are parked by."),
    ("reader_parked_lag_facts", "Facts in the log from a reader's oldest parked one on."),
    ("reader_parked_age_seconds", "Seconds since a reader's oldest parked fact was parked."),
)
"""The metrics of `ParkedGauges`, in its order."""


class Gauges(Collector):
    """Figures that are read when somebody asks: connections, lag, and what is parked."""

    def __init__(self) -> None:
        self.connections: dict[str, int] = {}
        self.lag: dict[tuple[str, str], int] = {}
        self.parked: dict[tuple[str, str], ParkedGauges] = {}
        self.health: dict[tuple[str, str], int] = {}
        self.watch_lag: dict[tuple[str, str], int] = {}
        """Of what is watched in the background, for which nobody waits."""

    def told(self) -> list[str]:
        """Return in sentences what is parked."""
        return [
            f"{reader}: {parked.facts} facts of {parked.keys} keys are parked, the oldest for "
            f"{parked.age_s:.0f} s; see aorist parked list"
            for (reader, _), parked in self.parked.items()
            if parked.facts
        ]

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
        parked = [
            GaugeMetricFamily(name, told, labels=["reader", "context"]) for name, told in PARKED
        ]
        for labels, figures in self.parked.items():
            for family, figure in zip(parked, figures, strict=True):
                family.add_metric(labels, figure)
        health = GaugeMetricFamily("reader_health", HEALTH, labels=["reader", "context"])
        for labels, value in self.health.items():
            health.add_metric(labels, value)
        return [connections, lag, health, *parked]


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

    @cached_property
    def findings(self) -> Findings:
        """What watches and audits have found wrong."""
        return Findings(self.registry)

    @cached_property
    def redis_calls(self) -> Counter:
        """Calls to Redis."""
        told = "Calls to Redis by what came of them."
        return Counter("redis_calls_total", told, ["use", "result"], registry=self.registry)

    @cached_property
    def cache_lookups(self) -> Counter:
        """Looks for kept answers."""
        told = "Answers looked for in memory and in Redis, by what was there."
        labels = ["query", "level", "result"]
        return Counter("cache_lookups_total", told, labels, registry=self.registry)

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

    def redis(self, use: str, result: str) -> None:
        """Count a call to Redis: answered, wrong, failed, skipped."""
        self.redis_calls.labels(use, result).inc()

    def lookup(self, query: str, level: str, result: str) -> None:
        """Count a look for a kept answer; see `infra.caching.cache.Observe`."""
        self.cache_lookups.labels(query, level, result).inc()

    def reader(self, reader: str, facts: int, seconds: float) -> None:
        """Count a batch of a reader."""
        self.reader_facts.labels(reader).inc(facts)
        self.reader_seconds.labels(reader).observe(seconds)
