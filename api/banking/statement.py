"""Statements over HTTP."""

from api.banking.account import OF_ACCOUNT
from api.routes import Routes
from projections.banking.statement import balance, statement, totals

routes = Routes(tags=["statements"])
routes.query(
    "/accounts/{account_id}/statement",
    statement,
    allow=OF_ACCOUNT,
)
routes.query(
    "/accounts/{account_id}/statement/totals",
    totals,
    allow=OF_ACCOUNT,
)
routes.query("/accounts/{account_id}/balance", balance, allow=OF_ACCOUNT)
