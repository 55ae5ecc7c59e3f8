"""The read models of social."""
