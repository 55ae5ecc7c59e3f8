"""The command line program `aorist`: one verb a file, found by its name."""

import importlib
import pkgutil
from pathlib import Path
from typing import Annotated

import typer

from infra.collector import load_quickly

HELP = "Aorist: commands in, facts kept for ever, read models out."

Config = Annotated[
    Path | None, typer.Option("--config", help="YAML file with settings; see `aorist config`.")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", help="sqlite:///FILE or postgresql://USER@HOST/DATABASE."),
]
LogLevel = Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")]


def program() -> typer.Typer:
    """Return the program with every verb of this folder."""
    app = typer.Typer(
        name="aorist", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False
    )

    @app.callback()
    def options(
        context: typer.Context,
        config: Config = None,
        database_url: DatabaseUrl = None,
        log_level: LogLevel = None,
    ) -> None:
        context.obj = {"file": config, "database_url": database_url, "log_level": log_level}

    for verb in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        if not verb.startswith("_"):
            module = importlib.import_module(f"{__name__}.{verb}")
            made = getattr(module, verb)
            if isinstance(made, typer.Typer):  # a verb with verbs of its own
                app.add_typer(made, name=verb)
            else:
                app.command(verb, epilog=getattr(module, "EPILOG", None))(made)
    return app


def main() -> None:
    """Run the program."""
    load_quickly()
    program()()
