"""Who may read facts and the audit trail as such. In development too, the role has to be named."""

from typing import Annotated

from fastapi import Depends

from api.permissions import AUDITOR, OPERATOR
from api.ports import Authenticated
from commands import Caller
from domain import Forbidden

INSPECTORS = frozenset({OPERATOR, AUDITOR})
"""Roles that may read facts and the audit trail as such: they hold what is private elsewhere."""


class NotAnInspector(Forbidden, code="not_an_inspector"):
    """Facts and the audit trail are for operators and auditors."""


async def inspector(by: Authenticated) -> Caller:
    """Let operators and auditors pass."""
    if not by.roles & INSPECTORS:
        raise NotAnInspector(
            f"{by.actor} is neither operator nor auditor; in development add the header "
            "Aorist-Roles: operator"
        )
    return by


Inspector = Annotated[Caller, Depends(inspector)]
