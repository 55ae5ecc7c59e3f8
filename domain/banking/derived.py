"""Ids that follow from others by a name-based UUID, and who may use them for something new."""

from uuid import UUID

from domain import Invalid, is_derived, is_process


class DerivedId(Invalid, code="derived_id"):
    """An id that anybody can compute from others is not free to be chosen.

    External accounts, number claims and risks have such ids, and so has what processes ask for.
    Whoever put an account or a transfer there would keep money from moving, or pass for another.
    """


def require_chosen(id: UUID, actor: str) -> None:
    """Raise `DerivedId` unless the id is free, or a process asks, which derives its ids."""
    if is_derived(id) and not is_process(actor):
        raise DerivedId(f"{id} is a version 5 UUID; choose a random or time-ordered one")
