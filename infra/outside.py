"""The adapters to the outside world that a system has unless others are given."""

from infra.acquirer import SimulatedAcquirer
from infra.passwords import Argon2
from infra.settings import Settings


def outside_world(settings: Settings) -> dict[type, object]:
    """Return what stands behind the ports to the outside world, by port."""
    passwords = Argon2(settings.password_memory_kib, settings.password_passes)
    return {adapter.PORT: adapter for adapter in (SimulatedAcquirer(), passwords)}
