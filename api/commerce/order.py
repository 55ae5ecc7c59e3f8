"""Orders over HTTP."""

from api.permissions import AUDITOR, MERCHANT, own
from api.routes import Routes
from commands.commerce.order import CancelLine, CancelOrder, PlaceOrder
from projections.commerce.order import customer_of, order, orders_of

routes = Routes(tags=["orders"])
routes.command(
    "/orders", PlaceOrder, status=202, location="/orders/{id}", allow=own(None, MERCHANT)
)
routes.command(
    "/orders/{order_id}/cancel",
    CancelOrder,
    status=202,
    location="/orders/{id}",
    allow=own(None, MERCHANT),
)
routes.command(
    "/orders/{order_id}/cancel-line",
    CancelLine,
    status=202,
    location="/orders/{id}",
    allow=own(None, MERCHANT),
)
routes.query("/orders/{order_id}", order, allow=own(customer_of, MERCHANT, AUDITOR))
routes.query(
    "/customers/{customer_id}/orders", orders_of, allow=own("customer_id", MERCHANT, AUDITOR)
)
