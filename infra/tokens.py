"""Tokens that callers show: short ones for access, long ones that begin the next access.

Both are JSON Web Tokens signed with Ed25519 (RFC 7519, RFC 8037, RFC 9068). A refresh token has
the session's number that it is good for; whether it is still, the session's facts say.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import jwt

from commands import Clock
from infra.keys import Keys

ALGORITHM = "EdDSA"
ISSUER = AUDIENCE = "aorist"
ACCESS, REFRESH = "at+jwt", "rt+jwt"
"""What the two kinds of token are called in their headers: neither passes for the other."""
MAX_TOKEN = 2_000
"""Characters of a token."""
MAX_KNOWN = 10_000
"""Access tokens kept in memory, the first to come the first to go; of about a kilobyte each."""
REQUIRED = ["iss", "aud", "exp", "iat", "sub", "sid"]


class BadToken(Exception):
    """A token is not one of ours, or has run out; the message says which."""


class AccessShown(NamedTuple):
    """Who shows an access token, and of which login it is."""

    user: UUID
    session: UUID


class RefreshShown(NamedTuple):
    """Whose login a refresh token is of, and which of its tokens."""

    user: UUID
    session: UUID
    generation: int


class _Known(NamedTuple):
    """What a token that was checked before says, until when, and by which key."""

    shown: AccessShown
    until: int
    key: str


class Tokens:
    """Makes and checks tokens."""

    def __init__(self, keys: Keys, clock: Clock, lifetime: timedelta) -> None:
        self.lifetime = lifetime
        """Of an access token."""
        self._keys = keys
        self._clock = clock
        self._known: dict[str, _Known] = {}
        """Tokens whose signatures were found right, which takes as long as to decide a command."""

    def access(self, user: UUID, session: UUID) -> str:
        """Return an access token."""
        return self._signed(ACCESS, user, session, self._clock.now() + self.lifetime)

    def refresh(self, user: UUID, session: UUID, generation: int, until: datetime) -> str:
        """Return the refresh token of a number."""
        return self._signed(REFRESH, user, session, until, generation=generation)

    def read_access(self, token: str) -> AccessShown:
        """Return what an access token says. Raises `BadToken`."""
        known = self._known.get(token)
        if known and known.until > self._clock.now().timestamp() and self._keys.has(known.key):
            return known.shown
        claims = self._claims(token, ACCESS)
        shown = AccessShown(_uuid(claims, "sub"), _uuid(claims, "sid"))
        while len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[token] = _Known(shown, claims["exp"], jwt.get_unverified_header(token)["kid"])
        return shown

    def read_refresh(self, token: str) -> RefreshShown:
        """Return what a refresh token says. Raises `BadToken`."""
        claims = self._claims(token, REFRESH)
        generation = claims.get("generation")
        if not isinstance(generation, int):
            raise BadToken("the refresh token has no number; log in again")
        return RefreshShown(_uuid(claims, "sub"), _uuid(claims, "sid"), generation)

    def _signed(self, kind: str, user: UUID, session: UUID, until: datetime, **more: object) -> str:
        id, key = self._keys.newest
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user),
            "sid": str(session),
            "iat": int(self._clock.now().timestamp()),
            "exp": int(until.timestamp()),
            **more,
        }
        return jwt.encode(claims, key, ALGORITHM, headers={"kid": id, "typ": kind})

    def _claims(self, token: str, kind: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN:
            raise BadToken(f"a token has at most {MAX_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise BadToken("that is no token; log in") from error
        if header.get("typ") != kind:
            raise BadToken(f"a token of the kind {kind} is wanted here")
        try:
            # The algorithm is ours to say, never the token's (RFC 8725, 3.1).
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(header.get("kid")),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # By our clock, below: the library knows the system's alone.
                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise BadToken("the token is not one of ours; log in") from error
        if not isinstance(claims["exp"], int) or claims["exp"] <= self._clock.now().timestamp():
            raise BadToken("the token has run out; refresh it, or log in")
        return claims

    def _key(self, id: object) -> Any:
        key = self._keys.public(id) if isinstance(id, str) else None
        if key is None:
            raise BadToken("the token's key is not known here any more; log in")
        return key


def _uuid(claims: dict[str, Any], name: str) -> UUID:
    try:
        return UUID(claims[name])
    except (ValueError, TypeError, AttributeError) as error:
        raise BadToken("the token is not one of ours; log in") from error
