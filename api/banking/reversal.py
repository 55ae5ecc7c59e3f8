"""Reversals over HTTP."""

from api.permissions import TELLER, only
from api.routes import Routes
from commands.banking.reversal import ReverseTransfer

routes = Routes(tags=["reversals"])
routes.command(
    "/transfers/{transfer_id}/reverse",
    ReverseTransfer,
    status=202,
    location="/transfers/{transfer_id}",
    allow=only(TELLER),
)
