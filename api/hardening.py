"""Headers that keep browsers from doing with an answer what it is not for."""

from collections.abc import Iterable

Header = tuple[bytes, bytes]

POLICY = b"content-security-policy"
NOTHING = b"default-src 'none'; frame-ancestors 'none'"
"""For data: there is nothing in it to run or to show in a frame (OWASP, REST Security)."""
DOCS = (
    b"default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    b"style-src https://cdn.jsdelivr.net; img-src 'self' data: https://fastapi.tiangolo.com; "
    b"connect-src 'self'; frame-ancestors 'none'"
)
"""For the page at /docs, whose scripts come from where FastAPI has them."""
ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NOT_KEPT: Header = (b"cache-control", b"no-store")
"""Nearly every answer depends on who asks; one that does not says so itself."""

EXPOSED = (
    *("Aorist-Position", "ETag", "Idempotent-Replayed", "Location", "Retry-After"),
    *("RateLimit", "RateLimit-Policy", "X-Correlation-ID"),
)
"""Headers of answers that pages of other origins may read, where they may ask at all."""


def hardened(path: str, headers: Iterable[Header]) -> list[Header]:
    """Return an answer's headers with those that are missing."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    policy = DOCS if path == "/docs" else NOTHING
    more = [*ALWAYS, (POLICY, policy), NOT_KEPT]
    return given + [one for one in more if one[0] not in names]
