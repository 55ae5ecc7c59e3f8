"""The routes of commerce."""
