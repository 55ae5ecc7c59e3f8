"""Watches what must always hold: each context's invariants, folded over its log as facts come in.

What the watchers remember are rows by key, read and written with the reader's position. So memory
holds what one batch is about, and a restart goes on where the last one ended.
"""

from collections.abc import Callable, Sequence
from functools import cache

import msgspec
import structlog
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from commands import Clock
from domain import Watcher
from infra.bell import Bell
from infra.database import Database
from infra.discovery import Misbuilt
from infra.guarding.causes import causes_of, chain_of
from infra.guarding.pace import Pace
from infra.guarding.walks import Breach, Known, Value, Walk
from infra.interventions import Intervention, record
from infra.log.port import Store
from infra.log.tail import Facts, Tail
from infra.moves import Moves, Write, positions_of
from infra.readers import Reader
from infra.rows.rowsets import change, find, remove

WATCHED_AT_ONCE = 100
"""Facts in a batch; up to ten times as many when the watch is far behind."""
MAX_KNOWN = 20_000
"""Places whose values are kept in memory; above it all are looked up again."""
MAX_ROUNDS = 10
"""Times a batch is walked through to find out what it is about; twice is usual."""
MAX_TRACED = 10
"""Breaches in one batch whose causes are looked up; the others name their command."""
REST_S = 0.5
"""Pause after a batch that was not full: few larger batches take less from others."""
REPORTED = "ReportBreach"
"""The action under which a breach is in the audit trail."""

log = structlog.get_logger("aorist.watch")


@cache
def watched_of(context: str) -> Table:
    """Return the table of what the watchers of a context remember."""
    columns = [Column(name, Text, primary_key=True) for name in ("code", "rule", "key")]
    return Table("watched", MetaData(), *columns, Column("value", Text), schema=context)


@cache
def breaches_of(context: str) -> Table:
    """Return the table of the breaches of a context that were told."""
    return Table(
        "breaches",
        MetaData(),
        Column("rule", Text, primary_key=True),
        Column("position", BigInteger, primary_key=True),
        Column("sentence", Text),
        schema=context,
    )


class Watch:
    """The output of a reader that watches over one context.

    `code` names the version of the rules: another version starts from the first fact, with a
    memory of its own, and tells no breach a second time.
    """

    def __init__(
        self,
        context: str,
        watch: Callable[[], list[Watcher]],
        code: str,
        store: Store,
        database: Database,
        clock: Clock,
        facts_per_s: int,
        count: Callable[[str, str], None],
    ) -> None:
        self.context = context
        self.name = f"watch:{context}"
        self.reader = f"{self.name}:{code}"
        """The name its position is kept under."""
        self._watch = watch
        self._code = code
        self._store = store
        self._database = database
        self._clock = clock
        self._count = count
        self._pace = Pace(facts_per_s)
        self._table = watched_of(context)
        self._found: Sequence[Breach] = ()
        self._known: Known = {}
        """What is stored at `_upto`, as far as this process has read or written it."""
        self._upto = 0
        self._written: tuple[int, Known] = 0, {}
        """Of the last batch, its last position and what it changes; `told` says that it holds."""
        rules = [watcher.name for watcher in watch()]
        if len(set(rules)) < len(rules):
            raise Misbuilt(f"domain.{context}.invariants: two rules have one name in {rules}")

    async def __call__(self, facts: Facts) -> Write:
        """Watch a batch; the returned function keeps what is remembered, and what was found."""
        await self._pace.take(len(facts))
        before, last = facts[0][1].position - 1, facts[-1][1].position
        # Behind what this process has not written itself, others may remember something else.
        if before != self._upto or len(self._known) > MAX_KNOWN:
            self._known, self._upto = {}, before
        for _ in range(MAX_ROUNDS):
            walk = Walk(self._watch(), self._known)
            await walk.over(facts)
            if not walk.missing:
                break
            await self._recall(walk.missing, self._known)
        else:
            raise RuntimeError(f"{self.name}: its rules ask for ever more; let them ask for less")
        self._found = await self._new(walk.breaches)
        details = [
            chain_of(
                breach.at,
                await causes_of(self._store, breach.at) if number < MAX_TRACED else None,
            )
            for number, breach in enumerate(self._found)
        ]
        changes = walk.changes()
        self._written = last, changes

        async def write(connection: AsyncConnection) -> None:
            await self._remember(connection, changes)
            for breach, detail in zip(self._found, details, strict=True):
                await self._tell(connection, breach, detail)

        return write

    def told(self) -> None:
        """Hear that the last batch is written: only now are its breaches counted."""
        self._upto, changes = self._written
        self._known.update(changes)
        for rule, at, sentence in self._found:
            self._count(self.context, rule)
            log.error(
                "invariant broken",
                context=self.context,
                rule=rule,
                position=at.position,
                stream=str(at.stream),
                correlation_id=str(at.correlation_id),
                breach=sentence,
            )
        self._found = ()

    async def retire_others(self) -> None:
        """Forget what other versions of the rules remember, now that this one has caught up.

        A worker that still runs such a version starts again from the first fact.
        """
        readers, watched = positions_of(self.context), self._table
        others = readers.c.name.startswith(f"{self.name}:", autoescape=True)
        theirs = (readers.c.name != self.reader) & others
        async with self._database.read() as connection:
            if (await connection.execute(select(readers.c.name).where(theirs))).first() is None:
                return
        async with self._database.write() as connection:
            # Together: what it remembers and where it stands belong to each other.
            await connection.execute(delete(readers).where(theirs))
            await connection.execute(delete(watched).where(watched.c.code != self._code))

    async def _recall(self, missing: set[tuple[str, str]], known: Known) -> None:
        keys = [(self._code, rule, key) for rule, key in sorted(missing)]
        known.update(dict.fromkeys(missing))
        async with self._database.read() as connection:
            found = await (await find(connection, self._table, keys))()
        for row in found:
            known[row["rule"], row["key"]] = msgspec.json.decode(row["value"], type=Value)

    async def _remember(self, connection: AsyncConnection, changes: Known) -> None:
        kept = [
            {
                "code": self._code,
                "rule": rule,
                "key": key,
                "value": msgspec.json.encode(value).decode(),
            }
            for (rule, key), value in changes.items()
            if value is not None
        ]
        gone = [(self._code, *place) for place, value in changes.items() if value is None]
        if gone:
            await remove(connection, self._table, gone)
        if kept:
            await change(connection, self._table, kept)

    async def _new(self, breaches: Sequence[Breach]) -> Sequence[Breach]:
        """Leave out what was told before, by another version of the rules."""
        if not breaches:
            return ()
        table = breaches_of(self.context)
        places = [(breach.rule, breach.at.position) for breach in breaches]
        query = select(table.c.rule, table.c.position)
        async with self._database.read() as connection:
            told = {
                tuple(row)
                for start in range(0, len(places), WATCHED_AT_ONCE)
                for row in await connection.execute(
                    query.where(
                        tuple_(table.c.rule, table.c.position).in_(
                            places[start : start + WATCHED_AT_ONCE]
                        )
                    )
                )
            }
        return [breach for breach in breaches if (breach.rule, breach.at.position) not in told]

    async def _tell(self, connection: AsyncConnection, breach: Breach, detail: str) -> None:
        rule, at, sentence = breach
        values = {"rule": rule, "position": at.position, "sentence": sentence}
        await connection.execute(insert(breaches_of(self.context)).values(values))
        made = Intervention(
            time=self._clock.now(),
            actor=self.name,
            action=REPORTED,
            subject=f'rule "{rule}"',
            resource=at.stream,
            position=at.position,
            result="breached",
            detail=f"{sentence}\n{detail}",
            correlation_id=at.correlation_id,
            causation_id=at.command_id,
        )
        await record(connection, self.context, made)


class WatchReader(Reader):
    """Follows a log for a watch."""

    def __init__(
        self,
        watch: Watch,
        tail: Tail,
        moves: Moves,
        bell: Bell,
        observe: Callable[[str, int, float], None],
    ) -> None:
        super().__init__(
            watch.reader,
            tail,
            moves,
            watch,
            batch=WATCHED_AT_ONCE,
            bell=bell,
            observe=lambda _, facts, seconds: observe(watch.name, facts, seconds),
        )
        self.watch = watch
        self.rest_s = REST_S
        self._alone = False

    async def step(self) -> int:
        """Handle one batch; at the end of the log, other versions of the rules are retired."""
        passed = await super().step()
        if passed:
            self.watch.told()
        elif self.position and not self._alone:
            await self.watch.retire_others()
            self._alone = True
        return passed
