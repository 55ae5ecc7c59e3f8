"""How facts with their envelopes are written out: as lines for a person, or as JSON lines."""

import json
from collections.abc import Iterable

import msgspec

from api.cli._program import aligned
from domain import Envelope, Event
from infra.history import shown
from infra.veil import veiled

HEADINGS = ("position", "time", "version", "topic", "actor", "command", "data")


def as_json_line(fact: Event, at: Envelope) -> str:
    """Return a fact with its whole envelope as one line of JSON."""
    return msgspec.json.encode(shown(fact, at)).decode()


def as_table(facts: Iterable[tuple[Event, Envelope]]) -> str:
    """Return facts of one stream as a table."""
    rows = [
        (at.position, _time(at), at.version, at.topic, at.actor, at.command_id, _data(fact))
        for fact, at in facts
    ]
    return aligned([HEADINGS, *rows])


def as_line(fact: Event, at: Envelope) -> str:
    """Return a fact as a line that names its stream."""
    place = f"{at.context}={at.position}"
    return f"{place}  {_time(at)}  {at.topic}  {at.stream} v{at.version}  {at.actor}  {_data(fact)}"


def _time(at: Envelope) -> str:
    return at.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _data(fact: Event) -> str:
    return json.dumps(msgspec.to_builtins(veiled(fact)), ensure_ascii=False, separators=(",", ":"))
