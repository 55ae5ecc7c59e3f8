"""The HTTP API and the command line: the only layer a person meets."""
