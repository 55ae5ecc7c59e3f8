"""Who is behind a command, and which commands are steps of a process."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator

from commands import Caller
from domain.banking.process import ChosenIdsOnly, is_process

DERIVED = 5
"""The version of ids that are computed from others."""


def _not_derived(id: UUID) -> UUID:
    # External accounts, number claims and risks live under ids that anybody can compute. Whoever
    # could put something else there would keep money from moving.
    if id.version == DERIVED:
        raise ValueError(f"{id} is a version 5 UUID; choose a random or time-ordered one")
    return id


ChosenId = Annotated[UUID, AfterValidator(_not_derived)]
"""An id that the caller chooses for something new."""


def require_chosen(id: UUID, by: Caller) -> None:
    """Raise `ChosenIdsOnly` for a derived id, which only a process may use for something new."""
    if id.version == DERIVED and not is_process(by.actor):
        raise ChosenIdsOnly(f"{id} is a version 5 UUID; choose a random or time-ordered one")


def actor_of(by: Caller) -> str:
    """Return the caller in one spelling, so that two of one user's commands show as the same's."""
    return str(by.user) if by.user else by.actor
