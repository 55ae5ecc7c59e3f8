"""Whether a log holds together, and holds what those who wrote to it were told."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from uuid import UUID

from infra.log.port import Recorded, Store, Stored
from tests.log.load import Told

ALL = 10_000_000


async def violations(store: Store, told: Iterable[Told]) -> list[str]:
    """Return what is wrong, in sentences: nothing, in a sound log."""
    facts = await store.read(0, ALL)
    receipts = [stored for _, stored in await store.receipts(limit=ALL)]
    found = [*_of_log(facts, await store.head()), *_of_receipts(facts, receipts)]
    by_key = {stored.key: stored for stored in receipts}
    effects = _effects(facts)
    for one in told:
        found += _of_told(one, by_key.get(one.key), effects)
    return found


def _of_log(facts: list[Recorded], head: int) -> Iterator[str]:
    positions = [one.at.position for one in facts]
    if positions != list(range(1, head + 1)):
        yield f"the head is {head}, and the positions are {positions}"
    for before, after in pairwise(facts):
        if after.at.time < before.at.time:
            yield f"time runs backwards at position {after.at.position}"
    ends: dict[UUID, int] = defaultdict(int)
    for one in facts:
        ends[one.at.stream] += 1
        if one.at.version != ends[one.at.stream]:
            yield f"position {one.at.position}: version {one.at.version}, not {ends[one.at.stream]}"
        number = json.loads(one.data).get("number", 0)
        if number != one.at.version - 1:
            yield f"position {one.at.position}: push {number} was decided on an older state"


def _effects(facts: list[Recorded]) -> dict[UUID, list[Recorded]]:
    """Return the facts by the command that caused them."""
    effects: dict[UUID, list[Recorded]] = defaultdict(list)
    for one in facts:
        effects[one.at.command_id].append(one)
    return effects


def _of_receipts(facts: list[Recorded], receipts: list[Stored]) -> Iterator[str]:
    effects = _effects(facts)
    if len({stored.command_id for stored in receipts}) < len(receipts):
        yield "two receipts are of one command"
    if unknown := effects.keys() - {stored.command_id for stored in receipts}:
        yield f"{len(unknown)} commands have facts and no receipt"
    for stored in receipts:
        effect = effects.get(stored.command_id, [])
        last = stored.position
        if [one.at.position for one in effect] != list(range(last - stored.facts + 1, last + 1)):
            yield f"{stored.key}: its receipt tells of other facts than there are"
        if stored.refusal and effect:
            yield f"{stored.key}: it was refused and has facts"
        notes = {json.loads(one.data).get("note", "both") for one in effect}
        if not notes <= {stored.key, "both"}:
            yield f"{stored.key}: its facts are another one's: {notes}"


def _of_told(told: Told, stored: Stored | None, effects: dict[UUID, list[Recorded]]) -> list[str]:
    wrong = ""
    if stored is None:
        wrong = "" if told.result == "conflicted" else "is in no receipt"
    elif told.result == "accepted":
        effect = effects.get(stored.command_id, [])
        places = [(one.at.stream, one.at.version) for one in effect]
        there = (stored.position, stored.stream, stored.version)
        if stored.refusal:
            wrong = "was refused"
        elif there != (told.position, told.stream, told.version):
            wrong = f"is {there}"
        elif (stored.stream, stored.version) not in places:
            wrong = f"has its facts at {places}"
    elif told.result == "refused":
        wrong = "" if stored.refusal else "was accepted"
    else:
        wrong = "has a receipt"
    return [f"{told}, but it {wrong}"] if wrong else []
