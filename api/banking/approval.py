"""Decisions on flagged transfers over HTTP."""

from api.routes import Routes
from commands.banking.approval import ApproveTransfer, RejectTransfer
from projections.banking.approval import approvals

routes = Routes(tags=["approvals"])
routes.command("/transfers/{transfer_id}/approve", ApproveTransfer)
routes.command("/transfers/{transfer_id}/reject", RejectTransfer)
routes.query("/approvals", approvals)
