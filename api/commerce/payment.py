"""Payments over HTTP."""

from api.routes import Routes
from commands.commerce.payment import VoidCard
from projections.commerce.payment import payment

routes = Routes(tags=["payments"])
# Only for a payment that is being undone and whose void nobody confirmed; otherwise inert.
routes.command("/payments/{payment_id}/void", VoidCard, status=202, location="/payments/{id}")
routes.query("/payments/{payment_id}", payment)
