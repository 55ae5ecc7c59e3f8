"""Shipments over HTTP."""

from api.permissions import AUDITOR, MERCHANT, SERVICE, only, own
from api.routes import Routes
from commands.commerce.shipment import CreateShipment, DeliverShipment, DispatchShipment
from projections.commerce.order import customer_of, receiver_of
from projections.commerce.shipment import shipment, shipments_of

routes = Routes(tags=["shipments"])
routes.command(
    "/orders/{order_id}/shipments",
    CreateShipment,
    status=201,
    location="/shipments/{id}",
    allow=only(MERCHANT),
)
routes.command("/shipments/{shipment_id}/dispatch", DispatchShipment, allow=only(MERCHANT, SERVICE))
routes.command("/shipments/{shipment_id}/deliver", DeliverShipment, allow=only(MERCHANT, SERVICE))
routes.query(
    "/shipments/{shipment_id}", shipment, allow=own(receiver_of, MERCHANT, SERVICE, AUDITOR)
)
routes.query(
    "/orders/{order_id}/shipments", shipments_of, allow=own(customer_of, MERCHANT, SERVICE, AUDITOR)
)
