"""Facts to and from what is stored, by topic."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from domain import Event
from infra.log.port import CorruptFact, Encoded, Recorded

UNREADABLE = (KeyError, TypeError, msgspec.DecodeError, UnicodeDecodeError)
"""What reading a fact by its topic raises: an unknown topic, no data, or not such data."""


_encode = msgspec.json.Encoder().encode


class Codec:
    """Knows every fact class by its topic."""

    def __init__(self, facts: Mapping[str, type[Event]]) -> None:
        self.decode_as: dict[str, Callable[[bytes | str], Event]] = {
            topic: msgspec.json.Decoder(fact).decode for topic, fact in facts.items()
        }
        """How the data of a fact is read, by topic; raises one of `UNREADABLE`."""

    def encode(self, event: Event) -> Encoded:
        """Return a fact as it is stored."""
        return Encoded(event.TOPIC, _encode(event))

    def decode(self, recorded: Recorded) -> Event:
        """Return the fact. Raises `CorruptFact` when its topic or its data cannot be read."""
        at = recorded.at
        try:
            return self.decode_as[at.topic](recorded.data)
        except KeyError:
            problem, known = f"no fact class has the topic {at.topic!r}", False
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            problem, known = f"its data is no {at.topic}: {error}", True
        corrupt = CorruptFact(
            f"{at.context} log, position {at.position} (stream {at.stream}, version {at.version}): "
            f"{problem}; restore the row from a backup, or deploy the code that knows it"
        )
        corrupt.at = at if known else None
        raise corrupt

    def decode_all(self, found: Iterable[Recorded]) -> list[Event]:
        """Return the facts of `found`, in order."""
        return [self.decode(recorded) for recorded in found]
