"""Shipments over HTTP."""

from api.routes import Routes
from commands.commerce.shipment import CreateShipment, DeliverShipment, DispatchShipment
from projections.commerce.shipment import shipment, shipments_of

routes = Routes(tags=["shipments"])
routes.command(
    "/orders/{order_id}/shipments", CreateShipment, status=201, location="/shipments/{id}"
)
routes.command("/shipments/{shipment_id}/dispatch", DispatchShipment)
routes.command("/shipments/{shipment_id}/deliver", DeliverShipment)
routes.query("/shipments/{shipment_id}", shipment)
routes.query("/orders/{order_id}/shipments", shipments_of)
