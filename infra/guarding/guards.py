"""What looks after a running system in the background: invariant watches and drift audits."""

from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, NamedTuple

from commands import Clock
from infra.bell import Bell
from infra.database import Database
from infra.discovery import Features
from infra.guarding.auditing import Audit
from infra.guarding.drift import SAMPLE, Pass
from infra.guarding.watch import Watch, WatchReader
from infra.log.codec import Codec
from infra.log.port import Store
from infra.log.tail import Tail
from infra.moves import Moves
from infra.readers import Reader
from infra.settings import Settings
from infra.shapes import code_of
from infra.telemetry import Telemetry


class Home(NamedTuple):
    """Where one context lives."""

    database: Database
    store: Store
    tail: Tail
    bell: Bell


class Guards:
    """The watches and audits of a system. Nobody waits for them, and none keeps it from serving."""

    def __init__(
        self,
        homes: Mapping[str, Home],
        features: Features,
        codec: Codec,
        clock: Clock,
        settings: Settings,
        telemetry: Telemetry,
    ) -> None:
        self._homes = homes
        self._features = features
        self._codec = codec
        self._clock = clock
        self._settings = settings
        self._telemetry = telemetry
        self._moves: list[Moves] = []
        self.watches = [*self._watches()] if settings.watch_facts_per_s else []
        self.audits = [*self._audits()] if settings.drift_facts_per_s else []

    def _watches(self) -> Iterator[WatchReader]:
        for context, home in self._homes.items():
            watch = self._features.invariants.get(context)
            if watch is None:
                continue
            output = Watch(
                context,
                watch,
                code_of(watch.__module__),
                home.store,
                home.database,
                self._clock,
                self._settings.watch_facts_per_s,
                self._telemetry.findings.breach,
            )
            # Moves of its own: what others are ready to write does not wait for it.
            moves = Moves(home.database, context)
            self._moves.append(moves)
            yield WatchReader(output, home.tail, moves, home.bell, self._telemetry.reader)

    def _audits(self) -> Iterator[Audit]:
        for context in self._homes:
            yield Audit(
                context,
                lambda context=context: self.drift(context),  # type: ignore[misc]
                self._settings.drift_facts_per_s,
                self._telemetry.findings.drift,
            )

    def drift(self, context: str, sample: int = SAMPLE) -> Pass:
        """Return a pass that audits a sample of a context's rows."""
        home = self._homes[context]
        projections = [p for p in self._features.projections if p.context == context]
        return Pass(projections, home.store, self._codec, home.database, self._clock, sample=sample)

    def runs(self, poll_s: float) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Yield what is to run in the background, by name."""
        for watch in self.watches:
            yield watch.name, watch.run(poll_s)
        for audit in self.audits:
            yield audit.name, audit.run()

    async def resume(self) -> None:
        """Take the positions of the watches up from the store."""
        await Reader.resume_all(self.watches)

    def lag(self, heads: Mapping[str, int]) -> dict[tuple[str, str], int]:
        """Return how many facts each watch is behind."""
        return {
            (one.watch.name, one.context): heads[one.context] - one.position for one in self.watches
        }

    async def close(self) -> None:
        """Break off what is being written."""
        for moves in self._moves:
            await moves.close()
