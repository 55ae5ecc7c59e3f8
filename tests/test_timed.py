"""Counts and durations: what Prometheus is told is what its own counters would tell."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from infra.telemetry import SECONDS
from infra.timed import Timed

HAPPENED = [
    ("OpenAccount", "accepted", 0.0004),
    ("OpenAccount", "accepted", 0.001),  # a bound is in its own bucket
    ("OpenAccount", "unknown_account", 0.3),
    ("CloseAccount", "accepted", 10.0),
    ("CloseAccount", "failed", 99.0),
]


def lines(registry: CollectorRegistry) -> Iterator[str]:
    """Yield what is told, but for the times since when."""
    told = generate_latest(registry).decode().splitlines()
    return (line for line in sorted(told) if "_created" not in line)


def test_what_is_told_is_what_the_librarys_own_counters_tell() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    timed = Timed(
        ("commands", "Commands."),
        ("command_seconds", "Seconds."),
        labels=("command", "result"),
        shared=1,
        buckets=SECONDS,
    )
    ours.register(timed)
    counter = Counter("commands", "Commands.", ["command", "result"], registry=theirs)
    histogram = Histogram(
        "command_seconds", "Seconds.", ["command"], buckets=SECONDS, registry=theirs
    )
    for command, result, seconds in HAPPENED:
        timed.add((command, result), seconds)
        counter.labels(command, result).inc()
        histogram.labels(command).observe(seconds)
    assert list(lines(ours)) == list(lines(theirs))
