"""Tokens of services: programs that act by themselves, within what they were let do."""

from datetime import datetime

from domain import Event, NotFound, Refused, Secret, State


class ServiceTokenIssued(Event, frozen=True):
    """A service may act by a token."""

    TOPIC = "identity.service.issued"
    name: str
    scopes: tuple[str, ...]
    """The operations of the API that it may call."""
    hash: Secret[str]
    """Of the token: SHA-256, in hexadecimal."""
    until: datetime


class ServiceTokenRevoked(Event, frozen=True):
    """It may no longer."""

    TOPIC = "identity.service.revoked"
    reason: str


class ServiceTokenExists(Refused, code="service_token_exists"):
    """Another token has this id."""


class ServiceTokenNotFound(NotFound, code="service_token_not_found"):
    """No token of this id was issued."""


class ServiceToken(State, frozen=True):
    """One token."""

    KIND = "identity.service"
    name: str = ""
    """Empty before it is issued."""
    scopes: tuple[str, ...] = ()
    hash: Secret[str] = ""
    until: datetime | None = None
    revoked: bool = False

    def issue(self, name: str, scopes: tuple[str, ...], hash: str, until: datetime) -> list[Event]:
        """Let a service act by it. Raises `ServiceTokenExists`."""
        if self.name:
            raise ServiceTokenExists("another token has this id; choose a new one")
        return [ServiceTokenIssued(name=name, scopes=scopes, hash=hash, until=until)]

    def revoke(self, reason: str) -> list[Event]:
        """Let nobody act by it any more. Raises `ServiceTokenNotFound`."""
        if not self.name:
            raise ServiceTokenNotFound("no token of this id was issued; check the id")
        return [] if self.revoked else [ServiceTokenRevoked(reason=reason)]

    def is_good(self, hash: str, now: datetime) -> bool:
        """Tell whether a token of that hash may act."""
        known = bool(self.hash) and self.hash == hash
        return known and not self.revoked and self.until is not None and now < self.until

    def evolve(self, event: Event) -> "ServiceToken":
        """Take a fact in."""
        match event:
            case ServiceTokenIssued(name=name, scopes=scopes, hash=hash, until=until):
                return ServiceToken(name=name, scopes=scopes, hash=hash, until=until)
            case ServiceTokenRevoked():
                return self.replace(revoked=True)
        return self
