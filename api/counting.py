"""Requests counted by who sends them, and the headers that say how many are left."""

from collections.abc import Iterable

from starlette.types import Scope

from api.hardening import Header
from api.ports import ACTOR, MAX_ACTOR
from infra.rates import WINDOW_S, Allowance
from infra.system import System
from infra.throttle import network_of
from infra.tokens import BadToken

UNCOUNTED = frozenset(("/livez", "/readyz", "/metrics"))
"""What is asked by whoever looks after the process: it is not to be taken for dead."""
POLICY, LEFT = b"ratelimit-policy", b"ratelimit"


class TooManyRequests(Exception):
    """A caller has sent too many requests; `left` says when there may be more."""

    def __init__(self, left: Allowance) -> None:
        super().__init__(f"that are too many requests; send more in {left.reset_s} seconds")
        self.left = left


def caller_of(scope: Scope, system: System) -> str:
    """Return whom a request is counted for: the user of its token, else the address's network.

    A token counts from its signature on; whether its user may act still is asked later.
    """
    headers = scope["state"]["headers"]
    shown = headers.get("authorization")
    if shown is not None and system.logins is not None:
        try:
            return f"user {system.logins.signed_for(shown.partition(' ')[2].strip())}"
        except BadToken:
            pass  # what is wrong with it is told by the route that wants one
    elif system.settings.development and (actor := headers.get(ACTOR.lower())):
        return f"actor {actor[:MAX_ACTOR]}"
    client = scope.get("client")
    return f"network {network_of(client[0] if client else None)}"


def counted(headers: Iterable[Header], left: Allowance) -> list[Header]:
    """Return an answer's headers with those of the limit (IETF draft ratelimit-headers).

    They are lists: an answer that has some already, about other things, has both.
    """
    given = list(headers)
    policy = b'"requests";q=%d;w=%d' % (left.of, WINDOW_S)
    number = b'"requests";r=%d;t=%d' % (left.left, left.reset_s)
    for name, _ in given:
        if name == LEFT:
            own = {POLICY: policy, LEFT: number}
            return [(n, value + b", " + own[n] if n in own else value) for n, value in given]
    return [*given, (POLICY, policy), (LEFT, number)]
