"""Transfers over HTTP."""

from api.routes import Routes
from commands.banking.transfer import RequestTransfer
from projections.banking.transfer import transfer, transfers_of

routes = Routes(tags=["transfers"])
routes.command("/transfers", RequestTransfer, status=202)
routes.query("/transfers/{transfer_id}", transfer)
routes.query("/accounts/{account_id}/transfers", transfers_of)
