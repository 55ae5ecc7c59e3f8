"""Rows of read models: changed by facts, merged, written many at a time, with their past."""
