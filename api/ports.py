"""The three things a route may ask for: dispatch, read, caller."""
