"""The read models of banking."""
