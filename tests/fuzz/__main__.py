"""A long run: `make fuzz`, or `python -m tests.fuzz --examples 500 --seed 7`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from schemathesis.core.failures import FailureGroup

from infra.logging import configure
from infra.settings import Settings
from tests.api.http import Http
from tests.api.test_permissions import House
from tests.fuzz.calls import fuzz, operations
from tests.scenario import Scenario
from tests.stores import STORES, Stores


def main() -> int:
    """Call every route; return how many of them gave an answer that is wrong or not documented."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="cases for each route")
    parser.add_argument("--seed", type=int, default=0, help="other cases; 0 takes the clock")
    parser.add_argument("--store", choices=STORES, default="sqlite")
    asked = parser.parse_args()
    start = asked.seed or int(time.time())
    print(f"seed {start}, {asked.examples} cases for each route, on {asked.store}")
    configure(Settings(log_level="error", log_format="json"))
    with tempfile.TemporaryDirectory() as folder:
        stores = Stores(Path(folder))
        scenario = Scenario(stores.settings(asked.store), None)
        http = Http(scenario)
        try:
            return _all(House(http), asked.examples, start)
        finally:
            http.close()
            scenario.close()
            stores.close()


def _all(house: House, examples: int, start: int) -> int:
    wrong = sent = 0
    for operation in operations(house.document):
        try:
            sent += fuzz(house.http, operation, house.ids, examples, start)
        except FailureGroup as found:
            wrong += 1
            print(f"WRONG {operation.label}", found, sep="\n", flush=True)
    print(f"{sent} calls, {wrong} routes with answers that are wrong or not documented")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
