"""Other code over the real log, in isolation: what would be different."""
