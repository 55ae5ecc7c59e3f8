"""The forms of the answers that belong to no feature."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field


class Ready(BaseModel):
    """Whether the process can work, and if not, why."""

    ready: bool
    problems: list[str] = Field(examples=[[]])
    degraded: list[str] = Field(
        examples=[[]], description="what works in part only: parked facts, rebuilds"
    )


class FactShown(BaseModel):
    """A fact with its envelope."""

    context: str
    stream: UUID
    version: int
    position: int = Field(examples=[1234])
    topic: str
    time: datetime
    actor: str
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    data: dict[str, Any] = Field(examples=[{"name": "value"}])


class FactsPage(BaseModel):
    """Facts in their order; `next` is the `after` of the next page."""

    items: list[FactShown]
    next: int | None = Field(examples=[1234])


class AggregateShown(BaseModel):
    """An aggregate's state, with the version and the time of the last fact in it."""

    kind: str
    id: UUID
    version: int
    time: datetime
    state: dict[str, Any] = Field(examples=[{"status": "open"}])


class AuditEntry(BaseModel):
    """One command, or one thing done beside commands: who did it, and what came of it."""

    number: int
    place: str = Field(examples=["name:12:0"], description="the `cursor` of what comes behind it")
    time: datetime
    context: str
    actor: str
    roles: list[str] | None = Field(examples=[["operator"]], description="those the actor had then")
    command: str
    resource: UUID | None
    version: int
    position: int = Field(examples=[1234])
    facts: int
    result: str = Field(examples=["accepted"])
    detail: str | None
    reason: str | None
    address: str | None
    agent: str | None
    command_id: UUID
    correlation_id: UUID
    causation_id: UUID | None


class AuditPage(BaseModel):
    """Entries of the audit trail."""

    items: list[AuditEntry]
    next: str | None = Field(description="the `cursor` of the next page")
