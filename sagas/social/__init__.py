"""The processes of social."""
