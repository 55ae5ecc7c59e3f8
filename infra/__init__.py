"""Drivers, stores and engines behind the ports; wired in `infra.wiring`."""
