"""Avro schemas of the facts: made from the fact classes, committed, numbered, kept for ever."""
