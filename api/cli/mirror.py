"""`aorist mirror`: whether Kafka has what the logs have."""

from typing import Annotated

import typer

from api.cli._program import FAILED, WRONG_USE, Contexts, fail, run, settings_of

mirror = typer.Typer(help="Compare the Kafka mirror with the logs.", no_args_is_help=True)


@mirror.callback()
def _verbs() -> None:
    """Keep `verify` a word of its own."""


@mirror.command()
def verify(
    context: typer.Context,
    contexts: Contexts = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Send what is missing; stop the relay before.")
    ] = False,
) -> None:
    """Compare logs and topics: count, order and content of every range; exits 1 if they differ.

    Names the first difference. With --repair it sends what is missing. When more than the end is
    missing or wrong, the topic is deleted and made anew: its readers then begin again.
    """
    settings = settings_of(context, quiet=True)
    if not settings.kafka_bootstrap:
        fail("kafka_bootstrap is not set; set it to HOST:PORT of a Kafka broker", WRONG_USE)
    # Here, as Kafka's client takes a while to load, and other verbs need nothing of it.
    from api.cli._mirroring import verified

    if not run(verified(settings, contexts, repair)):
        raise typer.Exit(FAILED)
