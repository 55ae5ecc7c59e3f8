"""The routes of banking."""
