"""`aorist doctor`: checks configuration, stores and migrations, and names the remedy."""

import asyncio
from collections.abc import AsyncIterator

import typer

from api.cli._program import FAILED, WRONG_USE, out
from infra.aside.parking import figures
from infra.configuration import load
from infra.database import Database
from infra.discovery import Features, Misbuilt, discover
from infra.mail import post
from infra.mail.smtp import Smtp
from infra.migrations import latest, revision
from infra.ownership import may_change_facts
from infra.reach import StoreAway, reach
from infra.rebuilding.renewal import told
from infra.redis import AWAY, link_to
from infra.secrecy import without_password
from infra.settings import Settings, WrongConfiguration

Finding = tuple[bool, str]


def doctor(context: typer.Context) -> None:
    """Check configuration, stores and migrations; exits 1 when something needs mending."""
    given = dict(context.obj or {})
    try:
        settings, _ = load(given.pop("file", None), **given)
    except WrongConfiguration as wrong:
        _say(False, f"configuration: {wrong}")
        raise typer.Exit(WRONG_USE) from None
    _say(True, "configuration is valid")
    if not asyncio.run(_examine(settings)):
        raise typer.Exit(FAILED)


async def _examine(settings: Settings) -> bool:
    try:
        features = discover()
    except Misbuilt as wrong:
        _say(False, f"code: {wrong}")
        return False
    _say(True, f"{len(features.facts)} facts and {len(features.handlings)} commands are found")
    well = True
    for findings in (_stores(settings, features), redis(settings), _mail(settings)):
        async for good, finding in findings:
            _say(good, finding)
            well = well and good
    return well


async def _mail(settings: Settings) -> AsyncIterator[Finding]:
    """Yield whether letters could be handed over; nothing where they are files."""
    sending = post(settings)
    if not isinstance(sending, Smtp):
        return
    server, fault = f"mail server {settings.smtp_host}:{settings.smtp_port}", await sending.fault()
    said = f" takes no letters ({fault}); mend it, or the smtp_ settings" if fault else " is ready"
    yield not fault, server + said


async def redis(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what there is to say of Redis; nothing where none is set."""
    link = link_to(settings, lambda use, result: None)
    if link is None:
        return
    url = without_password(settings.redis_url)
    try:
        if await link.answers():
            yield True, f"{url} answers"
        else:
            yield False, f"{url}: {AWAY}; start it, or mend redis_url"
    finally:
        await link.close()


async def _stores(settings: Settings, features: Features) -> AsyncIterator[Finding]:
    for context in features.contexts:
        database = Database(settings.url_of(context), settings.database_connections)
        try:
            await reach(database)
            found = await revision(database, context)
            aside = await figures(database, context) if found == latest() else {}
            outdated = await _outdated(database, features, context) if found == latest() else []
            rights = await _rights(database, context) if found == latest() else ""
        except StoreAway as away:
            yield False, f"{context}: {away}"
            continue
        finally:
            await database.close()
        if found == latest():
            yield True, f"{context}: {database} is at revision {found}{rights}"
            for said in outdated:
                yield True, said  # whoever runs its readers sees to it
            for reader, parked in aside.items():
                yield (
                    False,
                    f"{context}: {reader} has parked {parked.facts} facts of {parked.keys} keys "
                    f"since {parked.since:%Y-%m-%d %H:%M} UTC; see `aorist parked list`",
                )
        else:
            yield (
                False,
                f"{context}: {database} is at revision {found}, the program needs {latest()}; "
                "run `aorist migrate`",
            )


async def _rights(database: Database, context: str) -> str:
    """Return what the application's role may do with facts; nothing where there are no roles."""
    if database.is_sqlite:
        return ""
    if await may_change_facts(database, context):
        return "; its role could change facts: run `aorist migrate` with database_owner"
    return "; its role may add facts and change none"


async def _outdated(database: Database, features: Features, context: str) -> list[str]:
    projections = [one for one in features.projections if one.context == context]
    return [said for one in projections if (said := await told(database, one))]


def _say(good: bool, finding: str) -> None:
    out.print(("ok    " if good else "MEND  ") + finding, markup=False)
