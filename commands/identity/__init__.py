"""The commands of identity and their handlers."""
