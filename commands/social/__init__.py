"""The commands of social and their handlers."""
