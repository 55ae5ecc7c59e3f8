"""What a request may be at most: its head, its body and how deep that is. More is refused."""

import re
from itertools import chain

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

MAX_HEADERS = 100
MAX_HEAD = 32 * 1024
"""Bytes of all header fields, and of what the first line asks for."""
MAX_TARGET = 8 * 1024
"""Bytes of a path with its query string (RFC 9110, 4.1: at least 8000)."""
MAX_DEPTH = 32
"""Arrays and objects within each other in a body; the deepest command has four."""
LENGTH = re.compile(r"\d{1,18}")
NO_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
BRACKETS = re.compile(rb"[\[\]{}]")
OPENING = (b"[", b"{")


def too_large(most: int) -> HTTPException:
    """Return the refusal of a body."""
    return HTTPException(413, f"the body is larger than {most} bytes; send less at once")


def check_head(scope: Scope) -> None:
    """Raise `HTTPException` for a head that is too large, or a body that is compressed."""
    given = scope["headers"]
    target = len(scope["path"]) + len(scope["query_string"])
    if target > MAX_TARGET:
        raise HTTPException(414, f"the path and its query have more than {MAX_TARGET} bytes")
    if len(given) > MAX_HEADERS:
        raise HTTPException(431, f"the request has more than {MAX_HEADERS} headers; send fewer")
    if sum(map(len, chain.from_iterable(given))) > MAX_HEAD:
        raise HTTPException(431, f"the headers have more than {MAX_HEAD} bytes; send shorter ones")
    if scope["state"]["headers"].get("content-encoding"):
        # Inflated, a thousandth of the bytes would do to send too many.
        raise HTTPException(
            415,
            "a compressed body is not taken; send it without Content-Encoding",
            {"Accept-Encoding": "identity;q=1"},
        )


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """Return the whole body, counted as it comes: a chunked one does not say how long it is.

    Raises `HTTPException` for one that is too large or too deep, or `ClientDisconnect`.
    """
    said = scope["state"]["headers"].get("content-length", "")
    if LENGTH.fullmatch(said) and int(said) > most:
        raise too_large(most)
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body", False):
        if len(body) > most:
            raise too_large(most)
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    if len(body) > most:
        raise too_large(most)
    if is_deep(body):
        raise HTTPException(400, "the body is too deep")
    return bytes(body)


def again(body: bytes, receive: Receive) -> Receive:
    """Return how a body is received that was read already; after it comes what comes."""
    given = False

    async def received() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return received


def is_deep(body: bytes) -> bool:
    """Tell whether JSON is deeper than `MAX_DEPTH`. Nearly always its brackets are too few."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in BRACKETS.finditer(NO_STRINGS.sub(b"", body)):
        depth += 1 if bracket[0] in OPENING else -1
        if depth > MAX_DEPTH:
            return True
    return False
