"""The commands of banking and their handlers."""
