"""Payment from a wallet: which account the money goes to, and how long it is held."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from domain import Refused
from domain.commerce.gateway import PaymentMethod
from domain.commerce.product import Product

HOLD_FOR = timedelta(days=7)
"""How long the buyer's money is held: longer than an order may take to be paid."""


class NoWallet(Refused, code="wallet_not_accepted"):
    """The products of the order can't be paid for from this wallet."""


def accepted(method: PaymentMethod, products: Sequence[Product]) -> PaymentMethod:
    """Return the method with the account that the money goes to, which the products name.

    The buyer does not choose it: that would be paying oneself. Raises `NoWallet`.
    """
    if method.is_card:
        return method
    accounts = {product.merchant_account_id for product in products}
    account = accounts.pop()
    if accounts or account is None:
        raise NoWallet("the products are not all paid to one account; pay by card")
    if method.merchant_account_id not in (None, account):
        raise NoWallet(f"the products are paid to {account}, not {method.merchant_account_id}")
    if method.account_id == account:
        raise NoWallet(f"account {account} sells these products and can't pay for them too")
    return msgspec.structs.replace(method, merchant_account_id=account)
