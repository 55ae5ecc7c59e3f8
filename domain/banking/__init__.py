"""The rules of banking."""
