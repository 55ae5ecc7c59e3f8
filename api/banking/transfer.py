"""Transfers over HTTP."""

from api.banking.account import OF_ACCOUNT
from api.permissions import AUDITOR, RISK_OFFICER, TELLER, own
from api.routes import Routes
from commands.banking.transfer import RequestTransfer
from projections.banking.transfer import payer_of, transfer, transfers_of

routes = Routes(tags=["transfers"])
routes.command("/transfers", RequestTransfer, status=202, allow=own(None, TELLER))
routes.query(
    "/transfers/{transfer_id}", transfer, allow=own(payer_of, TELLER, RISK_OFFICER, AUDITOR)
)
routes.query(
    "/accounts/{account_id}/transfers",
    transfers_of,
    allow=OF_ACCOUNT,
)
