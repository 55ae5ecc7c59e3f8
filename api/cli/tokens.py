"""`aorist tokens`: tokens of services, which act by themselves within what they were let do."""

from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError

from api.cli._program import (
    Actor,
    Reason,
    aligned,
    fail,
    opened,
    out,
    parsed_id,
    run,
    settings_of,
    who,
)
from commands import Caller
from infra.access import USERS
from infra.machines import Machines, tokens_of_services
from infra.settings import Settings
from infra.system import System

COLUMNS = ("id", "name", "scopes", "issued by", "until", "revoked", "reason")

tokens = typer.Typer(
    no_args_is_help=True, help="Tokens of services: issue one, list them, revoke one."
)


@tokens.command()
def issue(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the audit trail calls the service: warehouse.")],
    scope: Annotated[
        list[str], typer.Option(help="An operation of the API: receive_stock; several times.")
    ],
    days: Annotated[int, typer.Option(help="How long it is good.")] = 90,
    actor: Actor = None,
) -> None:
    """Issue a token, and print it this once. It is good for the operations that are named."""
    # Here, as it takes as long to load as all the rest.
    from api.http import every_route
    from api.permissions import require_scopes

    async def issued() -> str:
        require_scopes(scope, every_route())
        async with opened(settings_of(context, quiet=True)) as system:
            by = Caller(actor=who(actor))
            try:
                return (await _machines(system).issue(name, tuple(scope), days, by)).token
            except ValidationError as wrong:
                fail("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in wrong.errors()))

    out.print(run(issued()), markup=False)


@tokens.command("list")
def list_(context: typer.Context) -> None:
    """List tokens, the oldest first; those that are good no longer too."""
    run(_list(settings_of(context, quiet=True)))


@tokens.command()
def revoke(
    context: typer.Context,
    id: Annotated[str, typer.Argument(help="Id of the token.")],
    reason: Reason,
    actor: Actor = None,
) -> None:
    """Let a token be good no longer, in every process at once."""
    settings = settings_of(context, quiet=True)
    run(_revoke(settings, parsed_id(id, "ID"), Caller(actor=who(actor), reason=reason)))


async def _list(settings: Settings) -> None:
    async with opened(settings) as system:
        found = await tokens_of_services(system.logs[USERS].store, system.codec)
    rows: list[tuple[object, ...]] = [COLUMNS]
    for one in found:
        token, revoked = one.token, "revoked" if one.token.revoked else None
        until = f"{token.until:%Y-%m-%d}" if token.until else None
        scopes = " ".join(token.scopes)
        rows.append((one.id, token.name, scopes, one.issued_by, until, revoked, one.reason))
    out.print(aligned(rows), markup=False)


async def _revoke(settings: Settings, id: UUID, by: Caller) -> None:
    async with opened(settings) as system:
        await _machines(system).revoke(id, by.reason or "", by)
    out.print(f"{id} is good no longer")


def _machines(system: System) -> Machines:
    if system.logins is None:
        fail("there are no users here, so there are no tokens")
    return system.logins.machines
