"""Who is behind a command, and which ids a command may choose."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator

from commands import Caller
from domain.banking.derived import is_derived


def _not_derived(id: UUID) -> UUID:
    if is_derived(id):
        raise ValueError(f"{id} is a version 5 UUID; choose a random or time-ordered one")
    return id


ChosenId = Annotated[UUID, AfterValidator(_not_derived)]
"""An id for something new that is never derived, whoever asks."""


def actor_of(by: Caller) -> str:
    """Return the caller in one spelling, so that two of one user's commands show as the same's."""
    return str(by.user) if by.user else by.actor
