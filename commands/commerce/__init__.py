"""The commands of commerce and their handlers."""
