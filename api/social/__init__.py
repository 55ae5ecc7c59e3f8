"""The routes of social."""
