"""The adapters to the outside world that a system has unless others are given."""

from infra.acquirer import SimulatedAcquirer
from infra.mail import post
from infra.passwords import Argon2
from infra.settings import Settings


def outside_world(settings: Settings) -> dict[type, object]:
    """Return what stands behind the ports to the outside world, by port."""
    return {one.PORT: one for one in (SimulatedAcquirer(), Argon2.of(settings), post(settings))}
