"""External accounts over HTTP."""

from api.permissions import AUDITOR, TELLER, only
from api.routes import Routes
from projections.banking.external import externals

routes = Routes(tags=["external accounts"])
routes.query("/external-accounts", externals, allow=only(TELLER, AUDITOR))
