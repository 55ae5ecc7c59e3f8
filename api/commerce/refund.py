"""Refunds over HTTP."""

from api.permissions import MERCHANT, only
from api.routes import Routes
from commands.commerce.refund import RefundCard, RefundPayment

routes = Routes(tags=["refunds"])
routes.command(
    "/payments/{payment_id}/refunds",
    RefundPayment,
    status=202,
    location="/payments/{id}",
    allow=only(MERCHANT),
)
# For a refund that the acquirer left unanswered too often; otherwise inert.
routes.command(
    "/payments/{payment_id}/refunds/{refund_id}/retry",
    RefundCard,
    status=202,
    location="/payments/{id}",
    allow=only(MERCHANT),
)
