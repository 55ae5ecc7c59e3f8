"""The processes of commerce."""
