"""The read models of commerce."""
