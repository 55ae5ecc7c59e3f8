"""How the relays stand: for whoever asks whether they are well, and for Prometheus."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infra.kafka.relay import Relay
from infra.system import System

LAG = "Facts in the log that are not on Kafka yet."
FAILING = "1 while a relay cannot go on, 0 while it can or stands by for another."
FAILURES = "How often a relay had to begin again."


class Standing(Collector):
    """Figures of the relays of one process, read when somebody asks."""

    def __init__(self, system: System, relays: Sequence[Relay]) -> None:
        self._system = system
        self._relays = relays
        self.lag: dict[str, int] = {}
        """Facts behind, by context; without those that stand by or know nothing yet."""
        system.telemetry.registry.register(self)

    async def measure(self) -> list[str]:
        """Look at the ends of the logs; return in sentences what is not well. Raises `LogError`."""
        # Positions first: a relay that moves on meanwhile is not ahead of the log.
        known = {one.context: one.position for one in self._relays if one.is_known}
        self.lag = {
            context: await self._system.logs[context].store.head() - position
            for context, position in known.items()
        }
        budget = self._system.settings.lag_budget
        found = [
            f"relay {one.context}: {one.failure or 'does not know yet how far the mirror is'}"
            for one in self._relays
            if one.failure or not (one.is_known or one.stands_by)
        ]
        return found + [
            f"relay {context} is {lag} facts behind, more than {budget}"
            for context, lag in self.lag.items()
            if lag > budget
        ]

    def collect(self) -> Iterable[Metric]:
        """Return the figures; the lag as it was when last measured."""
        lag = GaugeMetricFamily("relay_lag_facts", LAG, labels=["context"])
        for context, number in self.lag.items():
            lag.add_metric([context], number)
        failing = GaugeMetricFamily("relay_failing", FAILING, labels=["context"])
        failures = CounterMetricFamily("relay_failures", FAILURES, labels=["context"])
        for relay in self._relays:
            failing.add_metric([relay.context], relay.failure is not None)
            failures.add_metric([relay.context], relay.failures)
        return [lag, failing, failures]
