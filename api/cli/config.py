"""`aorist config`: each setting, its value and where it came from."""

import typer

from api.cli._program import WRONG_USE, aligned, fail, out
from infra.configuration import load
from infra.secrecy import without_password
from infra.settings import Settings, WrongConfiguration


def config(context: typer.Context) -> None:
    """Show each setting, its value and where it came from."""
    given = dict(context.obj or {})
    try:
        settings, sources = load(given.pop("file", None), **given)
    except WrongConfiguration as wrong:
        fail(str(wrong), WRONG_USE)
    rows: list[tuple[object, ...]] = [("setting", "value", "from", "meaning")]
    for name, field in Settings.model_fields.items():
        value = without_password(getattr(settings, name))
        rows.append((name, value, sources[name], field.description))
    out.print(aligned(rows), markup=False)
