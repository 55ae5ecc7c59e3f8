"""Stock over HTTP."""

from api.permissions import AUDITOR, MERCHANT, SERVICE, only
from api.routes import Routes
from commands.commerce.stock import AdjustStock, ReceiveStock
from projections.commerce.stock import stock_levels, stock_of

routes = Routes(tags=["stock"])
routes.command("/products/{product_id}/stock/receive", ReceiveStock, allow=only(MERCHANT, SERVICE))
routes.command("/products/{product_id}/stock/adjust", AdjustStock, allow=only(MERCHANT, SERVICE))
routes.query("/products/{product_id}/stock", stock_of, allow=only(MERCHANT, SERVICE, AUDITOR))
routes.query("/stock", stock_levels, allow=only(MERCHANT, SERVICE, AUDITOR))
