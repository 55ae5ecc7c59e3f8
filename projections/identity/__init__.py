"""The read models of identity."""
