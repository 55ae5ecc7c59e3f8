"""The log of the tests' own context, on both stores."""

import pytest

from tests.log.appends import store_of


@pytest.fixture
def log(probe):
    """The store's methods, each run to its end."""

    class Run:
        def __getattr__(self, name):
            return lambda *args, **kw: probe.run(getattr(store_of(probe), name)(*args, **kw))

    return Run()
