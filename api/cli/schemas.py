"""`aorist schemas`: the facts' Avro schemas, from the fact classes."""

from enum import StrEnum
from typing import Annotated

import typer

from api.cli._program import WRONG_USE, fail


class Action(StrEnum):
    """What to do with them."""

    GENERATE = "generate"
    CHECK = "check"
    ASYNCAPI = "asyncapi"


def schemas(
    action: Annotated[Action, typer.Argument(help="generate, check or asyncapi.")],
    against: Annotated[
        str | None, typer.Option("--against", help="check: a git revision to compare with.")
    ] = None,
) -> None:
    """Write, check or document the schemas of the facts.

    generate writes schemas/<context>/<feature>.avsc and adds a version for each changed fact.
    check exits 1 when they differ from the fact classes, or, against a revision, when a committed
    version was changed or a new one cannot be read in both directions. asyncapi prints the AsyncAPI
    document of the topics that facts are mirrored to.
    """
    if against and action is not Action.CHECK:
        fail("--against is for check", WRONG_USE)
    # Here, as Avro's libraries take a while to load, and other verbs need nothing of them.
    from api.cli import _schemas

    _schemas.done(action, against)
