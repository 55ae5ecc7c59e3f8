"""`aorist relay`: the mirror of every log on Kafka."""

import typer

from api.cli._program import WRONG_USE, Contexts, fail, run, settings_of
from infra.schemas.versions import Broken


def relay(context: typer.Context, contexts: Contexts = None) -> None:
    """Mirror facts to Kafka, every one once and in order, until stopped.

    Needs `kafka_bootstrap`. Several may run: one works for each log, the others wait for it. With
    `relay_port` it answers /livez, /readyz and /metrics.
    """
    settings = settings_of(context)
    if not settings.kafka_bootstrap:
        fail("kafka_bootstrap is not set; set it to HOST:PORT of a Kafka broker", WRONG_USE)
    # Here, as Kafka's client takes a while to load, and other verbs need nothing of it.
    from api.cli._relaying import relayed

    try:
        run(relayed(settings, contexts))
    except Broken as error:
        fail(str(error))
