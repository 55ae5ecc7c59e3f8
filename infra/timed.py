"""Counts and durations of what happens thousands of times a second, for Prometheus.

The library's own counters take a lock, and find themselves by their labels, for each number that
is told. Here a thing that happened is two additions, and what Prometheus wants to know is put
together when it asks.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class _Seen:
    """All that happened under one set of labels."""

    __slots__ = ("seconds", "spread")

    def __init__(self, buckets: int) -> None:
        self.seconds = 0.0
        self.spread = [0] * buckets
        """How many took so long, by bucket."""


class Timed(Collector):
    """A counter and a histogram of seconds; added to by one thread."""

    def __init__(
        self,
        counter: tuple[str, str],
        histogram: tuple[str, str],
        labels: Sequence[str],
        shared: int,
        buckets: Sequence[float],
    ) -> None:
        """Name and describe both; the histogram has the first `shared` of the counter's labels."""
        self._counter, self._histogram = counter, histogram
        self._labels, self._shared = labels, shared
        self._bounds = buckets
        self._seen: dict[Labels, _Seen] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """Take in that something happened, and how long it took."""
        seen = self._seen.get(labels)
        if seen is None:
            seen = self._seen[labels] = _Seen(len(self._bounds) + 1)
        seen.seconds += seconds
        seen.spread[bisect_left(self._bounds, seconds)] += 1

    def collect(self) -> Iterable[Metric]:
        """Return both as they stand."""
        counter = CounterMetricFamily(*self._counter, labels=self._labels)
        together: dict[Labels, _Seen] = {}
        for labels, seen in [*self._seen.items()]:
            counter.add_metric(labels, sum(seen.spread))
            whole = together.setdefault(labels[: self._shared], _Seen(len(seen.spread)))
            whole.seconds += seen.seconds
            whole.spread = [a + b for a, b in zip(whole.spread, seen.spread, strict=True)]
        histogram = HistogramMetricFamily(*self._histogram, labels=self._labels[: self._shared])
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for labels, whole in together.items():
            buckets = [*zip(names, accumulate(whole.spread), strict=True)]
            histogram.add_metric(labels, buckets, whole.seconds)
        return [counter, histogram]
