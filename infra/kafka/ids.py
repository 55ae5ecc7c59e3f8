"""What the ids in messages stand for: our own, or those of a registry of others."""

from typing import NamedTuple, Protocol

from infra.schemas.records import Schema
from infra.schemas.registry import Registry
from infra.schemas.versions import Version, Versions

MAX_KNOWN = 10_000
"""Ids kept in memory; a topic has as many as its facts have versions."""


class Written(NamedTuple):
    """The schema that a message was written with, and the topic of the fact in it."""

    subject: str
    schema: Schema


class Ids(Protocol):
    """Schemas and their ids. A call may raise `RegistryFails`, and wait for an answer."""

    is_ready: bool
    """Whether nobody has to be asked."""

    def of(self, version: Version) -> int:
        """Return the id that messages name a version by."""
        ...

    def written(self, id: int) -> Written | None:
        """Return what an id stands for; None when nobody knows."""
        ...


class OwnIds:
    """The ids of the committed schemas."""

    is_ready = True

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    def of(self, version: Version) -> int:
        """Return the version's own."""
        return version.id

    def written(self, id: int) -> Written | None:
        """Return the committed schema of an id."""
        found = self._versions.by_id.get(id)
        return Written(found.subject, found.schema) if found else None


class GivenIds:
    """The ids that a registry gives. They are for ever, so each is asked for once."""

    is_ready = False

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._given: dict[int, int] = {}
        self._known: dict[int, Written] = {}

    def of(self, version: Version) -> int:
        """Return the id in the registry; a version that it does not know is registered."""
        if version.id not in self._given:
            self._given[version.id] = self._registry.id_of(version)
        return self._given[version.id]

    def written(self, id: int) -> Written | None:
        """Return the schema of an id, by the registry."""
        if id not in self._known:
            schema = self._registry.schema(id)
            if not isinstance(schema, dict):
                return None
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[id] = Written(_full_name(schema), schema)
        return self._known[id]


def _full_name(schema: dict[str, str]) -> str:
    """Return the full name of a record, which is the topic of a fact."""
    name = schema.get("name", "")
    return name if "." in name else f"{schema.get('namespace', '')}.{name}"


def ids_of(url: str, versions: Versions) -> Ids:
    """Return the ids of the registry at `url`; without one, those of the committed schemas."""
    return GivenIds(Registry(url)) if url else OwnIds(versions)
