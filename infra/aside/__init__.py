"""Facts that stand aside: parked with those behind them, retried, dropped."""
