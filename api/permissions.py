"""Who may call a route. Each one declares it, and one that does not fails the start.

`EVERYONE`, `USERS` (what each may do, the rules decide), `only(TELLER)`, or `own(…, TELLER)`:
tellers for all, others for what is theirs. Whose it is shows where it is loaded: for a command
the state says so (`State.owner`), for a query a query function, or a parameter of the path is it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from fastapi.routing import APIRoute

from commands import Caller
from domain import Forbidden, Invalid, NotFound
from projections import One

AUDITOR, MERCHANT, OPERATOR = "auditor", "merchant", "operator"
RISK_OFFICER, SERVICE, TELLER = "risk officer", "service", "teller"

F = TypeVar("F", bound=Callable[..., Any])
Owner = str | Callable[..., One]
"""A parameter of the path that is the owner's id, or a query with that in the column `owner`."""


class NotAllowed(Forbidden, code="not_allowed"):
    """The caller has no role that may do this."""


class Hidden(NotFound, code="not_found"):
    """What is asked for is another's, and told as if it were not there."""


class UnknownScope(Invalid, code="unknown_scope"):
    """No operation is called so, or services may not call it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who may call a route."""

    strangers: bool = False
    """Whoever has not logged in too."""
    users: bool = False
    roles: frozenset[str] = frozenset()
    """Roles that may for everybody."""
    own: bool = False
    """Whether users may do so with what is theirs."""
    owner: Owner | None = None
    """Whose it is; None when the state says so."""

    def admit(self, by: Caller, *, unbound: bool = False) -> Caller:
        """Return the caller as the route may take them. Raises `NotAllowed`.

        Who is `unbound` may act for all roles: somebody in development who names none.
        """
        if self.users or self.strangers or unbound or by.roles & self.roles:
            return by
        if self.own:
            return msgspec.structs.replace(by, own_only=True)
        raise NotAllowed(
            f"{by.actor} is no {' or '.join(sorted(self.roles))}; an operator grants roles"
        )

    def told(self) -> str:
        """Return it in words."""
        if self.strangers:
            return "everyone"
        named = ["every user"] if self.users else ["the owner"] if self.own else []
        return ", ".join(named + sorted(self.roles))


EVERYONE = Allowed(strangers=True)
USERS = Allowed(users=True)
NOBODY = Allowed()
"""For what declares nothing: the app does not start with it."""


def only(*roles: str) -> Allowed:
    """Allow those who have one of the roles."""
    return Allowed(roles=frozenset(roles))


def own(owner: Owner | None, *roles: str) -> Allowed:
    """Allow those who have one of the roles, and others for what is theirs."""
    return Allowed(own=True, owner=owner, roles=frozenset(roles))


def allow(allowed: Allowed) -> Callable[[F], F]:
    """Declare who may call a route that is a function; written below the route's own line."""

    def declared(function: F) -> F:
        function.allowed = allowed  # type: ignore[attr-defined]
        return function

    return declared


def declared(route: APIRoute) -> Allowed | None:
    """Return who may call a route; None when nobody said so."""
    found: Allowed | None = getattr(route.endpoint, "allowed", None)
    return found


def require_own(by: Caller, owner: object) -> None:
    """Tell nobody apart: what is another's is as if it were not there. Raises `Hidden`."""
    if owner != by.user or by.user is None:
        raise Hidden("nothing of this id is there, or it is not yours; check the id")


def require_scopes(scopes: Iterable[str], routes: Iterable[APIRoute]) -> None:
    """Refuse scopes of a service that are no operation it may call. Raises `UnknownScope`."""
    found = ((route.operation_id, declared(route)) for route in routes)
    known = {id for id, allowed in found if id and allowed and SERVICE in allowed.roles}
    if unknown := sorted(set(scopes) - known):
        raise UnknownScope(
            f"services may not call {', '.join(unknown)}; they may {', '.join(sorted(known))}"
        )


def table(routes: Iterable[APIRoute]) -> str:
    """Return who may call what, as a table in Markdown."""
    rows = sorted(
        (route.path, method, allowed.told())
        for route in routes
        for method in route.methods or ()
        if (allowed := declared(route))
    )
    lines = [f"| {method} | `{path}` | {told} |" for path, method, told in rows]
    return "\n".join(["| method | path | who |", "|---|---|---|", *lines])
