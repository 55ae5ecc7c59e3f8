"""Holds over HTTP."""

from api.banking.account import OF_ACCOUNT
from api.permissions import TELLER, own
from api.routes import Routes
from commands.banking.hold import PlaceHold, ReleaseHold
from projections.banking.hold import holds_of, refused_holds_of

routes = Routes(tags=["holds"])
routes.command(
    "/accounts/{account_id}/holds",
    PlaceHold,
    status=202,
    location="/accounts/{account_id}/holds",
    allow=own(None, TELLER),
)
routes.command(
    "/accounts/{account_id}/holds/{hold_id}/release", ReleaseHold, allow=own(None, TELLER)
)
routes.query("/accounts/{account_id}/holds", holds_of, allow=OF_ACCOUNT)
routes.query(
    "/accounts/{account_id}/refused-holds",
    refused_holds_of,
    allow=OF_ACCOUNT,
)
