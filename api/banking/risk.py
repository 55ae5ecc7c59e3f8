"""Risk flags over HTTP."""

from api.permissions import AUDITOR, RISK_OFFICER, only
from api.routes import Routes
from projections.banking.risk import risk_flags

routes = Routes(tags=["risk"])
routes.query("/risk-flags", risk_flags, allow=only(RISK_OFFICER, AUDITOR))
