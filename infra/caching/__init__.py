"""Answers kept in memory, and in Redis behind it, while no fact has changed them.

For queries only: nothing that decides a command may read them.
"""
