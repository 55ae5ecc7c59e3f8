"""Accounts over HTTP."""

from api.permissions import AUDITOR, RISK_OFFICER, SERVICE, TELLER, only, own
from api.routes import Routes
from commands.banking.account import (
    CloseAccount,
    DepositMoney,
    FreezeAccount,
    OpenAccount,
    UnfreezeAccount,
    WithdrawMoney,
)
from projections.banking.account import account, accounts_of, holder_of

OF_ACCOUNT = own(holder_of, TELLER, RISK_OFFICER, AUDITOR)
"""Who reads of an account."""

routes = Routes(tags=["accounts"])
routes.command("/accounts", OpenAccount, status=201, allow=only(TELLER))
routes.command("/accounts/{account_id}/deposits", DepositMoney, allow=only(TELLER, SERVICE))
routes.command("/accounts/{account_id}/withdrawals", WithdrawMoney, allow=only(TELLER))
routes.command("/accounts/{account_id}/freeze", FreezeAccount, allow=only(TELLER, RISK_OFFICER))
routes.command("/accounts/{account_id}/unfreeze", UnfreezeAccount, allow=only(TELLER, RISK_OFFICER))
routes.command("/accounts/{account_id}/close", CloseAccount, allow=own(None, TELLER))
routes.query("/accounts/{account_id}", account, allow=OF_ACCOUNT)
routes.query(
    "/holders/{holder_id}/accounts",
    accounts_of,
    allow=own("holder_id", TELLER, RISK_OFFICER, AUDITOR),
)
