"""The rules of social."""
