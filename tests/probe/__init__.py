"""A context that exists in the tests only: small, and with every kind of part."""
