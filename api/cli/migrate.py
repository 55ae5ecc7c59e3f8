"""`aorist migrate`: brings the stores' tables up to date."""

import typer

from api.cli._program import Contexts, opened, out, run, settings_of
from infra.discovery import discover
from infra.migrations import latest
from infra.ownership import migrate_as_owner
from infra.settings import Settings


def migrate(context: typer.Context, contexts: Contexts = None) -> None:
    """Bring the tables of every log up to date, and make missing read-model tables.

    With database_owner as that role; the application's role is made if there is none, and may add
    facts then, and change none.
    """
    run(_migrate(settings_of(context), contexts))


async def _migrate(settings: Settings, contexts: list[str] | None) -> None:
    if settings.database_owner:
        await migrate_as_owner(settings, contexts or discover().contexts)
    # Opening a system migrates it: a program never runs on tables it does not know.
    async with opened(settings, contexts) as system:
        for name, database in system.databases.items():
            out.print(f"{name}: at revision {latest()} in {database}", markup=False)
