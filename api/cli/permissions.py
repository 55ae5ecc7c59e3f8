"""`aorist permissions`: who may call what."""

import typer

from api.cli._program import out, settings_of


def permissions(context: typer.Context) -> None:
    """Print who may call which route, as a table in Markdown."""
    settings_of(context, quiet=True)
    # Here, as it takes as long to load as all the rest.
    from api.http import every_route
    from api.permissions import table

    out.print(table(every_route()), markup=False)
