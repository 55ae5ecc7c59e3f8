"""Orders over HTTP."""

from api.routes import Routes
from commands.commerce.order import CancelLine, CancelOrder, PlaceOrder
from projections.commerce.order import order, orders_of

routes = Routes(tags=["orders"])
routes.command("/orders", PlaceOrder, status=202, location="/orders/{id}")
routes.command("/orders/{order_id}/cancel", CancelOrder, status=202, location="/orders/{id}")
routes.command("/orders/{order_id}/cancel-line", CancelLine, status=202, location="/orders/{id}")
routes.query("/orders/{order_id}", order)
routes.query("/customers/{customer_id}/orders", orders_of)
