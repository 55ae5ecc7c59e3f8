"""Accounts over HTTP."""

from api.routes import Routes
from commands.banking.account import (
    CloseAccount,
    DepositMoney,
    FreezeAccount,
    OpenAccount,
    UnfreezeAccount,
    WithdrawMoney,
)
from projections.banking.account import account, accounts_of

routes = Routes(tags=["accounts"])
routes.command("/accounts", OpenAccount, status=201)
routes.command("/accounts/{account_id}/deposits", DepositMoney)
routes.command("/accounts/{account_id}/withdrawals", WithdrawMoney)
routes.command("/accounts/{account_id}/freeze", FreezeAccount)
routes.command("/accounts/{account_id}/unfreeze", UnfreezeAccount)
routes.command("/accounts/{account_id}/close", CloseAccount)
routes.query("/accounts/{account_id}", account)
routes.query("/holders/{holder_id}/accounts", accounts_of)
