"""`aorist serve`: the API, and the readers beside it."""

from typing import Annotated

import typer

from api.cli._program import Contexts, run, settings_of


def serve(
    context: typer.Context,
    contexts: Contexts = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    development: Annotated[
        bool | None, typer.Option("--development", help="Let a header name the caller.")
    ] = None,
    readers: Annotated[
        bool, typer.Option(help="Run readers too; without, `aorist work` does elsewhere.")
    ] = True,
) -> None:
    """Serve the HTTP API and run the readers."""
    settings = settings_of(context, host=host, port=port, development=development)
    # Here, as it takes as long to load as all the rest, and other verbs need nothing of it.
    from api.cli._serving import served

    run(served(settings, contexts, readers))
