"""The processes of banking."""
