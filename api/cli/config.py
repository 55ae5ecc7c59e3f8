"""`aorist config`: each setting, its value and where it came from."""

import typer
from rich.table import Table

from api.cli._program import WRONG_USE, fail, out
from infra.settings import Settings, WrongConfiguration, load, without_password


def config(context: typer.Context) -> None:
    """Show each setting, its value and where it came from."""
    given = dict(context.obj or {})
    try:
        settings, sources = load(given.pop("file", None), **given)
    except WrongConfiguration as wrong:
        fail(str(wrong), WRONG_USE)
    table = Table("setting", "value", "from", "meaning", box=None, pad_edge=False)
    for name, field in Settings.model_fields.items():
        value = without_password(getattr(settings, name))
        table.add_row(name, str(value), sources[name], field.description or "")
    out.print(table)
