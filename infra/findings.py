"""What watches and audits have found wrong, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter


class Findings:
    """Counters of what should never be."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._breaches = Counter(
            "invariant_breaches_total",
            "Facts that broke a rule which always holds.",
            ["context", "rule"],
            registry=registry,
        )

    def breach(self, context: str, rule: str) -> None:
        """Count a fact that broke a rule."""
        self._breaches.labels(context, rule).inc()
