"""What `aorist mirror verify` does."""

from api.cli._program import fail, opened, out
from infra.kafka.comparing import Compared, compare
from infra.kafka.parts import Mirror, mirrors
from infra.kafka.repair import RelayRuns, repair
from infra.kafka.topics import UNREACHABLE, Misconfigured
from infra.schemas.registry import RegistryFails
from infra.schemas.versions import Broken
from infra.settings import Settings


async def verified(settings: Settings, contexts: list[str] | None, mend: bool) -> bool:
    """Compare every mirror, repair it when told to; return whether all are equal in the end."""
    async with opened(settings, contexts) as system:
        try:
            return all([await _verified(one, mend) for one in mirrors(system)])
        except (Broken, Misconfigured, RegistryFails, RelayRuns, *UNREACHABLE) as error:
            fail(str(error) or type(error).__name__)


async def _verified(mirror: Mirror, mend: bool) -> bool:
    compared = await compare(mirror)
    if mend and not _is_equal(compared):
        _tell(mirror, compared)
        sent = await repair(mirror, compared)
        out.print(f"     {mirror.topic}: {sent} facts sent", markup=False)
        compared = await compare(mirror)
    _tell(mirror, compared)
    return _is_equal(compared)


def _is_equal(compared: Compared) -> bool:
    return compared.difference is None and not compared.behind


def _tell(mirror: Mirror, compared: Compared) -> None:
    if compared.difference:
        told = f"FAIL {mirror.topic}: {compared.difference}"
    elif compared.behind:
        told = (
            f"FAIL {mirror.topic}: {compared.behind} facts are not there yet; "
            f"the first {compared.facts} are equal"
        )
    else:
        told = f"ok   {mirror.topic}: {compared.facts} facts are equal"
    out.print(told, markup=False)
