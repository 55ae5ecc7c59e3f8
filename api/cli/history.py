"""`aorist history`: an aggregate's facts with their envelopes."""

from typing import Annotated
from uuid import UUID

import typer

from api.cli._facts import as_json_line, as_table
from api.cli._program import noted, opened, out, parsed_id, run, settings_of
from api.cli.show import Id, Kind
from infra.history import facts_of
from infra.log.port import MAX_PAGE
from infra.reads import FACTS
from infra.settings import Settings


def history(
    context: typer.Context,
    kind: Kind,
    id: Id,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print the facts of an aggregate, oldest first."""
    run(_history(settings_of(context), kind, parsed_id(id, "ID"), as_json))


async def _history(settings: Settings, kind: str, id: UUID, as_json: bool) -> None:
    async with opened(settings) as system:
        await noted(system, FACTS, "history", kind=kind, id=id)
        after = 0
        while facts := await facts_of(system, kind, id, after=after, limit=MAX_PAGE):
            after = facts[-1][1].version
            if as_json:
                for fact, at in facts:
                    out.print(as_json_line(fact, at), markup=False)
            else:
                out.print(as_table(facts), markup=False)
