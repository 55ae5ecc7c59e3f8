"""Decisions on flagged transfers over HTTP."""

from api.permissions import AUDITOR, RISK_OFFICER, TELLER, only
from api.routes import Routes
from commands.banking.approval import ApproveTransfer, RejectTransfer
from projections.banking.approval import approvals

routes = Routes(tags=["approvals"])
routes.command("/transfers/{transfer_id}/approve", ApproveTransfer, allow=only(RISK_OFFICER))
routes.command("/transfers/{transfer_id}/reject", RejectTransfer, allow=only(RISK_OFFICER))
routes.query("/approvals", approvals, allow=only(RISK_OFFICER, TELLER, AUDITOR))
