"""The tokens of services, without what they are known by."""

from uuid import UUID

from sqlalchemy import select

from domain import Envelope, Event
from domain.identity.service import ServiceTokenIssued, ServiceTokenRevoked
from projections import Changes, Listing, One, count, document, key, moment, table, text

service_tokens = table(
    "service_tokens",
    key(),
    text("name"),
    document("scopes"),
    text("issued_by"),
    moment("issued_at"),
    moment("until"),
    moment("revoked_at", nullable=True),
    text("reason", nullable=True),
    count("position"),
    count("version"),
)


def project(fact: Event, at: Envelope, rows: Changes) -> None:
    """Keep a row for each token."""
    match fact:
        case ServiceTokenIssued(name=name, scopes=scopes, until=until):
            rows.insert(
                service_tokens,
                id=at.stream,
                name=name,
                scopes=list(scopes),
                issued_by=at.actor,
                issued_at=at.time,
                until=until,
                position=at.position,
                version=at.version,
            )
        case ServiceTokenRevoked(reason=reason):
            rows.update(
                service_tokens, at.stream, revoked_at=at.time, reason=reason, version=at.version
            )


def all_service_tokens() -> Listing:
    """All tokens of services, the latest first; those that are no longer good too."""
    return Listing(select(service_tokens), by=(service_tokens.c.position,), descending=True)


def service_token(token_id: UUID) -> One:
    """One token of a service."""
    return select(service_tokens).where(service_tokens.c.id == token_id)
