"""Who may read facts and the audit trail as such. In development too, the role has to be named."""

from typing import Annotated

from fastapi import Depends, Request

from api.permissions import AUDITOR, OPERATOR
from api.ports import Authenticated, system_of
from commands import Caller
from domain import Forbidden
from infra.reads import FACTS, TRAIL

PAGING = frozenset({"limit", "cursor", "after"})
"""What says how much of a query's answer is wanted."""
INSPECTORS = frozenset({OPERATOR, AUDITOR})
"""Roles that may read facts and the audit trail as such: they hold what is private elsewhere."""


class NotAnInspector(Forbidden, code="not_an_inspector"):
    """Facts and the audit trail are for operators and auditors."""


async def inspector(request: Request, by: Authenticated) -> Caller:
    """Let operators and auditors pass, and leave an entry of it in the audit trail."""
    if not by.roles & INSPECTORS:
        raise NotAnInspector(
            f"{by.actor} is neither operator nor auditor; in development add the header "
            "Aorist-Roles: operator"
        )
    if logins := system_of(request).logins:
        place = request.scope["route"].operation_id
        given = sorted({**request.path_params, **request.query_params}.items())
        query = " ".join([place, *(f"{k}={v}" for k, v in given if k not in PAGING)])
        await logins.reads.note(
            by,
            TRAIL if place == "audit" else FACTS,
            query,
            correlation_id=request.state.correlation_id,
        )
    return by


Inspector = Annotated[Caller, Depends(inspector)]
