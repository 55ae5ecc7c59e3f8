"""`aorist demo`: fills the system by carrying out the command files in `api/demo`."""

from collections.abc import Iterable
from pathlib import Path

import typer

from api.cli._program import fail, opened, out, run, settings_of
from api.cli.run import REST_S, catch_up, said
from infra.commandfile import BrokenLine, CommandFile
from infra.feed import Feed, Stopped
from infra.settings import Settings
from infra.system import System

FILES = Path(__file__).parents[1] / "demo"
ADA, BEN = "01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"
PLACE = "01900000-0000-7000-8000-000000000"
LOOK = f"""
A network: Ada, Ben and Cleo, three posts. A bank: a transfer that is done, one that failed and gave
the money back, a large one that waits for approval. A shop: an order that was delivered, one whose
card was declined at the last step and that was undone, one paid from a bank account, one for a pen
that was sold out. And three refusals. Some of it:

  aorist history commerce.order {PLACE}502      the order that was undone
  aorist history banking.transfer {PLACE}302    the transfer that failed
  aorist show banking.account {PLACE}202        Ben's account; add --at-version 2
  aorist audit --actor {BEN}       what Ben did, refusals too
  aorist check                                                          whether all of it adds up

With `aorist serve --development`:

  curl {{url}}/approvals -H 'Aorist-Actor: teller'
  curl {{url}}/transfers/{PLACE}303/approve -X POST -H 'Aorist-Actor: teller'
  curl {{url}}/accounts/{PLACE}201/statement -H 'Aorist-Actor: {ADA}'
  curl {{url}}/timeline -H 'Aorist-Actor: {ADA}'
  curl {{url}}/products -H 'Aorist-Actor: {ADA}'
"""


def demo(context: typer.Context) -> None:
    """Fill the system with a shop, a bank and a network; running it twice changes nothing."""
    settings = settings_of(context, quiet=True)
    run(_demo(settings, sorted(FILES.glob("*.jsonl"))))
    url = f"http://{settings.host}:{settings.port}/api/v1"
    out.print(LOOK.format(url=url), markup=False)


async def _demo(settings: Settings, files: Iterable[Path]) -> None:
    async with opened(settings) as system:
        await system.follow(rest_s=REST_S)
        for file in files:
            await _carry_out(system, file)
            # The next file goes on from where the processes have come to.
            await catch_up(system)


async def _carry_out(system: System, path: Path) -> None:
    with path.open("rb") as file:
        commands = CommandFile(
            file,
            system.features,
            actor="demo",
            line_bytes=system.settings.body_bytes,
            contexts=system.contexts,
        )
        feed = Feed(system)
        try:
            await feed.run(commands.pages())
        except (BrokenLine, Stopped) as broken:
            fail(f"{path.name}, {broken}")
    out.print(f"{path.name}: {said(feed.tally)}", markup=False)
