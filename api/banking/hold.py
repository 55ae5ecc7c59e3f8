"""Holds over HTTP."""

from api.routes import Routes
from commands.banking.hold import PlaceHold, ReleaseHold
from projections.banking.hold import holds_of, refused_holds_of

routes = Routes(tags=["holds"])
routes.command(
    "/accounts/{account_id}/holds",
    PlaceHold,
    status=202,
    location="/accounts/{account_id}/holds",
)
routes.command("/accounts/{account_id}/holds/{hold_id}/release", ReleaseHold)
routes.query("/accounts/{account_id}/holds", holds_of)
routes.query("/accounts/{account_id}/refused-holds", refused_holds_of)
