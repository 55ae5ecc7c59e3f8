"""Risk flags over HTTP."""

from api.routes import Routes
from projections.banking.risk import risk_flags

routes = Routes(tags=["risk"])
routes.query("/risk-flags", risk_flags)
