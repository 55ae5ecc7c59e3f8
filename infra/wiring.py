"""The composition root: the only module that names concrete classes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from commands import Clock, Ids
from commands.commerce.payment import Gateway
from domain import PROCESS, is_process
from infra.access import READ_FROM, USERS, Access
from infra.aside.parking import KeyOf, Parking
from infra.bell import Bell
from infra.caching.caches import caches_of, require_by_key
from infra.caching.stamps import Stamps
from infra.clock import SystemClock, SystemIds
from infra.database import Database
from infra.deadlines import Deadlines
from infra.discovery import Features, discover, ports_of
from infra.dispatch import ContextLog, Dispatcher
from infra.guarding.guards import Guards, Home
from infra.log.codec import Codec
from infra.log.group import GroupCommit
from infra.log.tail import Tail
from infra.logins import Logins
from infra.migrations import migrate
from infra.moves import Moves
from infra.opening import Opening
from infra.outside import outside_world
from infra.patience import Patience
from infra.processes import SagaRunner
from infra.projector import Projector
from infra.queries import Queries
from infra.reach import reach
from infra.readers import Output, Reader
from infra.reads import Reads
from infra.rebuilding.renewal import Outdated, register, told_apart
from infra.redis import link_to
from infra.settings import Settings
from infra.shapes import shapes_of
from infra.snapshots import Snapshots
from infra.streams import Streams
from infra.system import Source, System
from infra.telemetry import Telemetry


async def open_system(
    settings: Settings,
    contexts: Iterable[str] = (),
    *,
    clock: Clock | None = None,
    ports: Mapping[type, object] | None = None,
    features: Features | None = None,
) -> System:
    """Connect everything for the given contexts (all, when none is named) and migrate the stores.

    `features` are those that the folders hold, unless others are given. Nothing follows the logs
    until `follow()` is called. Raises `Misbuilt`, `LookupError` for an unknown context, or
    `StoreAway` when a store cannot be reached.
    """
    features = features or discover()
    chosen = tuple(contexts) or features.contexts
    for context in chosen:
        if context not in features.contexts:
            raise LookupError(
                f"no context is called {context!r}; there are {', '.join(features.contexts)}"
            )
    builder = _Builder(settings, features, clock or SystemClock())
    given = builder.ports({**outside_world(settings), **(ports or {})})
    for handling in features.handlings.values():
        ports_of(handling, given)  # a missing one is told before anything is opened
    try:
        await builder.connect(chosen)
    except BaseException:
        await builder.close()
        raise
    patient: dict[type, object] = {Gateway: Patience(given[Gateway])}  # type: ignore[arg-type]
    dispatcher = builder.dispatcher({**given, **patient})
    projections, standing_by = told_apart(builder.projections(chosen), builder.outdated)
    readers = [*projections, *builder.sagas(chosen, dispatcher)]
    return System(
        settings=settings,
        features=features,
        contexts=chosen,
        codec=builder.codec,
        clock=builder.clock,
        databases=builder.databases,
        logs=builder.logs,
        dispatcher=dispatcher,
        readers=readers,
        deadlines=[*builder.deadlines(chosen, dispatcher)],
        queries=builder.queries(readers),
        outdated=[one for one in builder.outdated if one.projecting.context in chosen],
        standing_by=standing_by,
        telemetry=builder.telemetry,
        bells=builder.bells,
        tails=builder.tails,
        moves=[*builder.moves.values()],
        guards=builder.guards(chosen),
        link=builder.link,
        logins=builder.logins(dispatcher),
        sources=[adapter for adapter in given.values() if isinstance(adapter, Source)],
        pools=builder.opening.pools,
    )


class _Builder:
    """Holds what the parts of a system share while they are put together."""

    def __init__(self, settings: Settings, features: Features, clock: Clock) -> None:
        self.settings = settings
        self.features = features
        self.clock = clock
        self.codec = Codec(features.facts)
        shapes = shapes_of(features.states.values(), features.facts)
        self.shapes = shapes if settings.snapshots else {}
        self.telemetry = Telemetry()
        self.link = link_to(settings, self.telemetry.redis)
        self.opening = Opening(settings.database_connections)
        self.databases: dict[str, Database] = {}
        self.logs: dict[str, ContextLog] = {}
        self.bells: dict[str, Bell] = {}
        self.tails: dict[str, Tail] = {}
        self.moves: dict[tuple[str, bool], Moves] = {}
        self.outdated: list[Outdated] = []
        self.stamps: dict[str, Stamps] = {}

    async def connect(self, contexts: Iterable[str]) -> None:
        """Open databases and logs of the contexts, and of those that their sagas follow.

        That of the users too: whatever a process serves, it is asked there who may act.
        """
        needed = dict.fromkeys(contexts)
        for running in self.features.sagas:
            if running.context in contexts:
                needed.update(dict.fromkeys(running.saga.follows))
        if USERS in self.features.contexts:
            needed[USERS] = None
        for context in needed:
            await self._connect(context, self.opening.database(self.settings.url_of(context)))

    async def _connect(self, context: str, database: Database) -> None:
        if database not in self.databases.values():
            await reach(database)
        self.databases[context] = database
        self.bells[context] = Bell()
        await migrate(database, context)
        async with database.write() as connection:
            await database.lock_structure(connection)
            own = [one for one in self.features.projections if one.context == context]
            self.outdated += await register(connection, context, own)
            for projecting in (one for one in own if one.cached):
                require_by_key(projecting)
                self.stamps[projecting.name] = Stamps(projecting, database)
                await self.stamps[projecting.name].begin(connection)
        store = await self.opening.store(context, database)
        group = GroupCommit(
            store,
            batch=self.settings.append_batch,
            queue=self.settings.append_queue,
            observe=self._appended(context),
        )
        snapshots = Snapshots(
            context, store.histories, self.shapes, partial(self.telemetry.snapshot, context)
        )
        streams = Streams(store, self.codec, self.settings.cached_states, snapshots)
        self.logs[context] = ContextLog(store, group, streams)
        self.tails[context] = Tail(store, self.codec)

    def _appended(self, context: str) -> Callable[[int, float], None]:
        def observe(size: int, seconds: float) -> None:
            self.telemetry.append(context, size, seconds)
            self.bells[context].ring()

        return observe

    async def close(self) -> None:
        """Release what was opened when not all of it could be."""
        for log in self.logs.values():
            await log.store.close()
        await self.opening.close()

    def ports(self, outside: Mapping[type, object]) -> dict[type, object]:
        """Return every port a handler may ask for."""
        return {Clock: self.clock, Ids: SystemIds(), **outside}

    def dispatcher(self, ports: dict[type, object]) -> Dispatcher:
        """Return the write path."""
        return Dispatcher(
            self.features,
            self.logs,
            self.codec,
            ports,
            self.telemetry.command,
            self.settings.commands_in_flight,
        )

    def logins(self, dispatcher: Dispatcher) -> Logins | None:
        """Return what knows who calls; None where there are no users."""
        if USERS not in self.logs:
            return None
        access = partial(
            Access,
            self.databases[USERS],
            self.tails[USERS],
            self.bells[USERS],
            self.clock,
            fits=not any(one.projecting.name in READ_FROM for one in self.outdated),
        )
        reads = Reads(self.databases[USERS], USERS, self.clock)
        log = self.logs[USERS]
        return Logins(self.settings, dispatcher, log, access, reads, self.clock, self.link)

    def projections(self, contexts: Iterable[str]) -> Iterable[Reader]:
        """Yield a reader for each projection."""
        for projecting in self.features.projections:
            if projecting.context in contexts:
                stamps, home = self.stamps.get(projecting.name), projecting.context
                projector = Projector(projecting, stamps)
                parking = self._parking(projecting.name, home, projector.key_of)
                yield self._reader(projecting.name, home, projector, home, parking)

    def queries(self, readers: Sequence[Reader]) -> Queries:
        """Return what answers queries; `readers` may run in this process."""
        wait_s, projections = self.settings.wait_ms / 1000, self.features.projections
        caches = caches_of(
            projections,
            self.stamps,
            self.databases,
            self.opening.pools,
            self.tails,
            self.settings,
            self.link,
            self.telemetry.lookup,
        )
        return Queries(self.databases, readers, wait_s, self.logs, self.clock, projections, caches)

    def sagas(self, contexts: Iterable[str], dispatcher: Dispatcher) -> Iterable[Reader]:
        """Yield a reader for each saga and each log it follows."""
        for running in self.features.sagas:
            if running.context not in contexts:
                continue
            own = running.saga.process.KIND.partition(".")[0]
            for followed in running.saga.follows or (running.context,):
                runner = SagaRunner(
                    running,
                    self.logs[own].store,
                    self.codec,
                    self.features,
                    dispatcher,
                    self.clock,
                    followed=followed,
                )
                name = f"{PROCESS}{running.name}@{followed}"
                parking = self._parking(name, running.context, runner.key_of, runner.forget)
                reader = self._reader(name, followed, runner, running.context, parking)
                runner.confirm = reader.confirm
                yield reader

    def deadlines(self, contexts: Iterable[str], dispatcher: Dispatcher) -> Iterable[Deadlines]:
        """Yield what fires the deadlines of each context."""
        for context in contexts:
            database = self.databases[context]
            yield Deadlines(context, database, dispatcher, self.features, self.clock)

    def guards(self, contexts: Iterable[str]) -> Guards:
        """Return what looks after the contexts in the background."""
        homes = {
            c: Home(self.databases[c], self.logs[c].store, self.tails[c], self.bells[c])
            for c in contexts
        }
        return Guards(homes, self.features, self.codec, self.clock, self.settings, self.telemetry)

    def _moves(self, home: str, of_processes: bool) -> Moves:
        # Processes wait for their commands: what others are ready to write does not wait for them.
        if (home, of_processes) not in self.moves:
            self.moves[home, of_processes] = Moves(self.databases[home], home)
        return self.moves[home, of_processes]

    def _parking(
        self, name: str, home: str, key_of: KeyOf, forget: Callable[[], None] = lambda: None
    ) -> Parking:
        return Parking(name, home, key_of, self.clock, self.settings.reader_tries, forget)

    def _reader(
        self, name: str, followed: str, output: Output, home: str, parking: Parking
    ) -> Reader:
        return Reader(
            name,
            self.tails[followed],
            self._moves(home, is_process(name)),
            output,
            batch=self.settings.reader_batch,
            bell=self.bells[followed],
            observe=self.telemetry.reader,
            parking=parking,
        )
