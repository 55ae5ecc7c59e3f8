"""Keeps what Kafka's client leaves behind within the test that used it."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect sockets that a closed client has left, while the test's own filters hold."""
    yield
    gc.collect()
