"""What watches and audits have found wrong, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter

from infra.guarding.drift import Drift


class Findings:
    """Counters of what should never be."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._breaches = Counter(
            "invariant_breaches_total",
            "Facts that broke a rule which always holds.",
            ["context", "rule"],
            registry=registry,
        )

        self._rows = Counter(
            "drift_rows_total",
            "Rows that a drift audit compared, found to differ, or mended.",
            ["projection", "result"],
            registry=registry,
        )

    def drift(self, found: Drift) -> None:
        """Count the rows of one pass."""
        figures = {"compared": found.rows, "differing": found.total, "mended": found.mended}
        for result, rows in figures.items():
            self._rows.labels(found.projection, result).inc(rows)

    def breach(self, context: str, rule: str) -> None:
        """Count a fact that broke a rule."""
        self._breaches.labels(context, rule).inc()
