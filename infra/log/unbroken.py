"""Positions have no gaps, so a reader that finds one stops: nothing is skipped in silence."""

from collections.abc import Sequence

from infra.log.port import CorruptFact, Recorded, Store


async def read_on(
    store: Store, after: int, limit: int, upto: int | None = None
) -> Sequence[Recorded]:
    """Return the facts with `after` < position <= `upto`, in order, as `Store.read` does.

    None at all means that `after` is the end of the log. A missing position ends them; when it
    is the very next, raises `CorruptFact`, and so it does when the log ends before `after`.
    """
    found = await store.read(after, limit, upto=upto)
    if not found and (upto is None or upto > after):
        head = await store.head()
        if head > after:
            # It came in between, or it is gone: whoever sees the head sees what it counts.
            found = await store.read(after, limit, upto=upto)
            if not found:
                raise _missing(store, after, "and so is all behind it")
        elif head < (wanted := upto or after):
            raise CorruptFact(
                f"{store.context} log ends at position {head}, though it was at {wanted}; "
                "restore what is missing from a backup"
            )
    for index, one in enumerate(found):
        if one.at.position != after + 1 + index:
            if index == 0:
                raise _missing(store, after, f"the next one is {one.at.position}")
            return found[:index]  # what comes before the gap is handled first
    return found


def _missing(store: Store, after: int, what: str) -> CorruptFact:
    return CorruptFact(
        f"{store.context} log, position {after + 1} is missing, {what}; "
        "restore the row from a backup"
    )
