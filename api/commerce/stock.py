"""Stock over HTTP."""

from api.routes import Routes
from commands.commerce.stock import AdjustStock, ReceiveStock
from projections.commerce.stock import stock_levels, stock_of

routes = Routes(tags=["stock"])
routes.command("/products/{product_id}/stock/receive", ReceiveStock)
routes.command("/products/{product_id}/stock/adjust", AdjustStock)
routes.query("/products/{product_id}/stock", stock_of)
routes.query("/stock", stock_levels)
