"""A hot product: asked for by its query, kept in memory, kept in Redis, and not kept at all."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager

from commands.commerce.product import ListProduct
from projections import not_kept
from projections.commerce.product import product
from tests.bench.bench import Bench
from tests.bench.figures import Broken, Contender, Figure, Group, Measures
from tests.bench.ours import TELLER, Ours, ids, opened
from tests.redises import shared_url

MEMORY, REDIS, STORE = "kept in memory", "kept in Redis", "read from PostgreSQL"
DESCRIPTION = "An enamelled pot of three litres. " * 10


def asking(ours: Ours, ask: Callable[[], Awaitable[object]]) -> Contender:
    """Return the contender: 64 who ask at once, and then one alone."""

    def contend(seconds: float) -> Measures:
        together = ours.repeat(ask, seconds / 2)
        alone = ours.repeat(ask, seconds / 2, workers=1)
        return {"rate": together["rate"], "alone": alone["rate"]}

    return contend


@contextmanager
def _open(bench: Bench, names: frozenset[str]) -> Iterator[Mapping[str, Contender]]:
    pot = ids.new()
    listed = ListProduct(
        product_id=pot, name="Pot", description=DESCRIPTION, price=2_900, currency="EUR"
    )
    options = {"redis_url": shared_url(), "redis_prefix": f"bench-{pot}"} if REDIS in names else {}
    with bench.database() as url, opened(url, ["commerce"], **options) as ours:
        ours.run(ours.system.dispatch(listed, TELLER))
        ours.run(ours.system.settle())
        queries, query = ours.system.queries, product(pot)

        async def from_redis() -> object:
            queries.forget()
            return await queries.one(query)

        yield {
            MEMORY: asking(ours, lambda: queries.one(query)),
            REDIS: asking(ours, from_redis),
            STORE: asking(ours, lambda: queries.one(not_kept(query))),
        }
        found = [ours.run(queries.one(one)) for one in (query, not_kept(query))]
        if found[0] != found[1]:
            raise Broken(f"what is kept is {found[0]}, and the store has {found[1]}")


GROUP = Group(
    figures=(
        Figure(name="cached", ours=MEMORY, reference=(STORE,), at_least=10),
        Figure(name="cached-alone", ours=MEMORY, reference=(STORE,), measure="alone", at_least=2),
        Figure(name="cached-redis", ours=REDIS, reference=(STORE,), at_least=2),
    ),
    open=_open,
)
