"""Calls every route with what its OpenAPI allows, and with what it does not, as many callers."""
