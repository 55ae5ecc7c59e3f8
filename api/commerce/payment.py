"""Payments over HTTP."""

from api.permissions import AUDITOR, MERCHANT, only, own
from api.routes import Routes
from commands.commerce.payment import VoidCard
from projections.commerce.order import payer_of
from projections.commerce.payment import payment

routes = Routes(tags=["payments"])
# Only for a payment that is being undone and whose void nobody confirmed; otherwise inert.
routes.command(
    "/payments/{payment_id}/void",
    VoidCard,
    status=202,
    location="/payments/{id}",
    allow=only(MERCHANT),
)
routes.query("/payments/{payment_id}", payment, allow=own(payer_of, MERCHANT, AUDITOR))
