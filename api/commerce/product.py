"""The catalogue over HTTP."""

from api.routes import Routes
from commands.commerce.product import ChangePrice, DiscontinueProduct, ListProduct, ReviseProduct
from projections.commerce.product import catalogue, product

routes = Routes(tags=["products"])
routes.command("/products", ListProduct, status=201)
routes.command("/products/{product_id}/revise", ReviseProduct)
routes.command("/products/{product_id}/price", ChangePrice)
routes.command("/products/{product_id}/discontinue", DiscontinueProduct)
routes.query("/products", catalogue)
routes.query("/products/{product_id}", product)
