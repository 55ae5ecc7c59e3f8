"""The catalogue over HTTP."""

from api.permissions import EVERYONE, MERCHANT, only
from api.routes import Routes
from commands.commerce.product import ChangePrice, DiscontinueProduct, ListProduct, ReviseProduct
from projections.commerce.product import catalogue, product

routes = Routes(tags=["products"])
routes.command("/products", ListProduct, status=201, allow=only(MERCHANT))
routes.command("/products/{product_id}/revise", ReviseProduct, allow=only(MERCHANT))
routes.command("/products/{product_id}/price", ChangePrice, allow=only(MERCHANT))
routes.command("/products/{product_id}/discontinue", DiscontinueProduct, allow=only(MERCHANT))
routes.query("/products", catalogue, allow=EVERYONE)
routes.query("/products/{product_id}", product, allow=EVERYONE)
