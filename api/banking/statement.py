"""Statements over HTTP."""

from api.routes import Routes
from projections.banking.statement import balance, statement, totals

routes = Routes(tags=["statements"])
routes.query("/accounts/{account_id}/statement", statement)
routes.query("/accounts/{account_id}/statement/totals", totals)
routes.query("/accounts/{account_id}/balance", balance)
