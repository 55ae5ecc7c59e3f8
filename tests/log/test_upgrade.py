"""A log that an older program has made: what is in it stays, and it takes appends again."""

import asyncio
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.script import ScriptDirectory

from infra import migrations
from infra.database import Database
from infra.log.blocking import BlockingLog
from infra.log.port import Accepted, Stale
from infra.migrations import migrate, revision
from infra.settings import Settings
from tests.log.appends import A, B, append, fact
from tests.stores import Stores

CONTEXT = "older"
BEFORE_ROLES = "0008"
RECEIPT = (
    "INSERT INTO older{}receipts (actor, command, key, command_id, fingerprint, correlation_id,"
    " reason, version, position, facts, time) VALUES ('ann', 'older.Do', 'k', '{}', 'f', '{}',"
    " 'because', 0, 0, 0, '2026-01-01T00:00:00.000000+00:00')"
)


async def _do(settings: Settings, *statements: str, make: bool = False) -> None:
    database = Database(settings.url_of(CONTEXT), 2)
    try:
        if make:
            await migrate(database, CONTEXT)
            assert await revision(database, CONTEXT) == BEFORE_ROLES
        async with database.write() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)
    finally:
        await database.close()


@pytest.fixture
def older(settings: Settings, store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A log without the column of roles, and a receipt in it."""
    upgrade = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, BEFORE_ROLES))
        receipt = RECEIPT.format("_" if store == "sqlite" else ".", A, A)
        asyncio.run(_do(settings, receipt, make=True))
    yield settings
    if store == "postgres":
        asyncio.run(_do(settings, "DROP SCHEMA older CASCADE"))


def test_receipts_from_before_there_were_roles_have_none_and_new_ones_do(older: Settings) -> None:
    log = BlockingLog(older, CONTEXT, create_tables=True)
    try:
        log.run(log.append(append(A, 0, fact(), roles="auditor,teller")))
        (_, old), (_, new) = log.run(log.store.receipts(limit=10))
    finally:
        log.close()
    assert (old.actor, old.reason, old.roles) == ("ann", "because", None)
    assert (new.version, new.position, new.roles) == (1, 1, "auditor,teller")


def test_a_sqlite_log_from_before_its_index_was_behind_keeps_its_facts(
    all_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = all_stores.settings("sqlite")
    facts = ", ".join(
        f"({n}, '{stream}', {version}, 'probe.job.pushed', '{{}}',"
        f" '2026-01-01T00:00:0{n}.000000+00:00', 'ann', '{A}', '{A}', NULL, NULL)"
        for n, (stream, version) in enumerate([(B, 1), (A, 1), (B, 2)], 1)
    )
    upgrade = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, BEFORE_ROLES))
        head = "UPDATE older_head SET position = 3, time = '2026-01-01T00:00:03.000000+00:00'"
        asyncio.run(_do(settings, f"INSERT INTO older_events VALUES {facts}", head, make=True))
    log = BlockingLog(settings, CONTEXT, create_tables=True)
    try:
        assert log.run(log.store.histories.misplaced(9)) == []
        assert [one.at.position for one in log.run(log.store.stream(B))] == [1, 3]
        assert isinstance(log.run(log.append(append(B, 1, fact()))), Stale)
        accepted = log.run(log.append(append(B, 2, fact())))
        assert isinstance(accepted, Accepted)
        assert (accepted.stored.position, accepted.stored.version) == (4, 3)
        assert [one.at.position for one in log.run(log.store.stream(B))] == [1, 3, 4]
        log.run(_do(settings, "UPDATE older_head SET indexed = position"))
        assert [one.at.position for one in log.run(log.store.stream(B))] == [1, 3, 4]
        assert log.run(log.store.histories.misplaced(9)) == []
    finally:
        log.close()


def test_the_newest_file_is_the_newest_revision() -> None:
    script = ScriptDirectory(str(migrations.VERSIONS.parent))
    assert script.get_current_head() == migrations.latest()
