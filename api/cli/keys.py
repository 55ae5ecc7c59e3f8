"""`aorist keys`: the keys that tokens are signed with."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli._program import out, run, settings_of
from infra.clock import SystemClock
from infra.keys import Keys, make_key

New = Annotated[bool, typer.Option("--new", help="Make a key; tokens are signed with it then.")]


def keys(context: typer.Context, new: New = False) -> None:
    """List the keys that tokens are signed with, oldest first; the last one signs.

    After `--new` nobody has to log in again: tokens of the other keys stay good. Remove a key's
    file when its tokens have run out, or at once when it has leaked.
    """
    run(_keys(settings_of(context, quiet=True).keys_folder, new))


async def _keys(folder: Path, new: bool) -> None:
    clock = SystemClock()
    if new:
        make_key(folder, clock.now())
    for id in Keys(folder, clock).ids:
        out.print(f"{id}  {folder}", markup=False)
