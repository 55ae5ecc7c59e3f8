"""`aorist migrate`: brings the stores' tables up to date."""

import typer

from api.cli._program import Contexts, opened, out, run, settings_of
from infra.migrations import latest
from infra.settings import Settings


def migrate(context: typer.Context, contexts: Contexts = None) -> None:
    """Bring the tables of every log up to date, and make missing read-model tables."""
    run(_migrate(settings_of(context), contexts))


async def _migrate(settings: Settings, contexts: list[str] | None) -> None:
    # Opening a system migrates it: a program never runs on tables it does not know.
    async with opened(settings, contexts) as system:
        for name, database in system.databases.items():
            out.print(f"{name}: at revision {latest()} in {database}", markup=False)
